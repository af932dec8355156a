"""The only caller of providers: a slot for each request in flight, retries, patience with a model that falls silent."""

from __future__ import annotations

import asyncio
import contextlib
import random as random_module
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptbench.core.protocols import Provider
from promptbench.core.types import Answer, FailedTry, FailureKind, ModelRef, ProviderFailure, Request, Usage
from promptbench.gateway.budget import Budget
from promptbench.gateway.cache import Cache
from promptbench.gateway.circuit import Circuit, ModelDown
from promptbench.gateway.limits import Pacer
from promptbench.gateway.line import Line
from promptbench.gateway.naps import Naps
from promptbench.gateway.retry import RetryPolicy

_LONG_WAIT = 5.0
"""Seconds from which a wait is worth a word to the user."""
_NO_USAGE = Usage(0, 0)


class Stopped(Exception):
    """The gateway was stopped before a request was sent."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request: an answer or a failure, and both with a `fallback`. One from the cache has no `tries`.

    `queue_ms` is the time spent waiting for a slot, for a rate limit and between tries, apart from the provider's time;
    `limit_ms` is the part of it for a rate limit, `backoff_ms` the part between tries and for a silent model.
    """

    answer: Answer | None
    failure: ProviderFailure | None
    tries: int
    failed_tries: tuple[FailedTry, ...]
    queue_ms: float
    cost: float | None = None
    """US dollars for the answer, which are not spent again on one from the cache; None when nobody knows."""
    limit_ms: float = 0.0
    backoff_ms: float = 0.0
    fallback: ModelRef | None = None
    """The model that was asked in place of the request's own, which was given up. `failure` says why, answer or not."""

    def in_place_of(self, own: Reply, model: ModelRef) -> Reply:
        """This reply of `model` for a request whose own model gave `own`."""
        return replace(
            self,
            failure=own.failure,
            tries=own.tries + self.tries,
            failed_tries=own.failed_tries + self.failed_tries,
            queue_ms=own.queue_ms + self.queue_ms,
            limit_ms=own.limit_ms + self.limit_ms,
            backoff_ms=own.backoff_ms + self.backoff_ms,
            fallback=model,
        )


@dataclass(slots=True, eq=False)
class _Asking:
    """One request on its way. Times are of `time.perf_counter`.

    `calling` is the seconds spent in the provider, `pacing` those for a rate limit, `resting` those between tries and
    for a silent model.
    """

    request: Request
    began: float
    first_call: float | None = None
    calling: float = 0.0
    pacing: float = 0.0
    resting: float = 0.0
    failure: ProviderFailure | None = None
    failed: list[FailedTry] = field(default_factory=list)
    retried: int = 0
    """Failed tries since the request began, or since the model came back."""
    suspect: bool = False
    """Whether the model answers others while this one is out of tries; it has one more."""

    def missed(self, failure: ProviderFailure, seconds: float) -> None:
        self.failure = failure
        self.failed.append(FailedTry(failure.kind, failure.message, failure.status, seconds * 1000))
        self.retried += 1

    def reply(self, answer: Answer | None, cost: float | None = None) -> Reply:
        failure = self.failure if answer is None else None
        queued = (time.perf_counter() - self.began - self.calling) * 1000
        tries = len(self.failed) + (answer is not None)
        limited, rested = self.pacing * 1000, self.resting * 1000
        return Reply(answer, failure, tries, tuple(self.failed), queued, cost, limited, rested)


Price = Callable[[ModelRef, Answer], float | None]
Bill = Callable[[ModelRef, Usage], float | None]
"""What a call with so many tokens is billed with, in US dollars."""


class Gateway:
    """Asks the providers, keyed by model reference (`openai/gpt-5-mini`). `notice` gets sentences for the user.

    A model with one of the `pacers` is kept within its rate limits and asked as much at once as does it good; one
    without is asked as much at once as its provider says. An outage is waited out for `patience` seconds. What the
    `cache` has is answered without a call, a slot, a limit or a budget.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        retries: int = 4,
        concurrency: int | None = None,
        patience: float = 0.0,
        price: Price = lambda model, answer: None,
        bill: Bill = lambda model, usage: 0.0,
        budgets: Sequence[Budget] = (),
        pacers: Mapping[str, Pacer] | None = None,
        cache: Cache | None = None,
        notice: Callable[[str], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._lines = {
            model: Line(
                provider,
                _width(provider, concurrency),
                (pacers or {}).get(model),
                Circuit(model, patience=patience, rests=Naps(sleep), notice=notice),
            )
            for model, provider in providers.items()
        }
        self._policy = RetryPolicy(retries, random)
        self._price = price
        self._bill = bill
        self._budgets = budgets
        self._cache = cache
        self._notice = notice
        self._naps = Naps(sleep)
        self._clock = clock
        self._random = random
        self._stopped = False

    async def ask(self, request: Request, fallback: ModelRef | None = None) -> Reply:
        """The reply, after retries; that of the `fallback` when the model has been given up.

        Raises ModelDown at once when the model has been given up and the fallback too, BudgetReached when a call could
        go beyond the budget, Stopped when the request was never sent before `stop`.
        """
        if fallback is None:
            return await self._ask(request)
        line, down = self._lines[str(request.model)], None
        try:
            own = await self._ask(request)
        except ModelDown as error:
            down, own = error, Reply(None, ProviderFailure(FailureKind.FATAL, error.message), 0, (), 0.0)
        if own.answer is not None or line.circuit.reason is None:
            return own
        try:
            other = await self._ask(replace(request, model=fallback))
        except ModelDown:
            if down is not None:
                raise down from None
            return own
        if not line.replaced:
            line.replaced = True
            self._notice(f"{fallback} is asked in place of {request.model}; its answers are shown and prove nothing")
        return other.in_place_of(own, fallback)

    async def _ask(self, request: Request) -> Reply:
        """As `ask`, of the request's own model."""
        if self._cache is not None and (kept := self._cache.find(request)) is not None:
            return Reply(replace(kept, recorded=True), None, 0, (), 0.0, self._price(request.model, kept))
        line = self._lines[str(request.model)]
        line.circuit.check()
        asking = _Asking(request, time.perf_counter())
        reply = None
        try:
            while reply is None:
                if line.circuit.open:
                    rested = time.perf_counter()
                    reply = await self._outlast(line, asking)
                    asking.resting += time.perf_counter() - rested
                else:
                    async with line.slots:
                        reply = await self._try(line, asking)
        except Stopped:
            if asking.failure is None:
                raise
            reply = asking.reply(None)
        return reply

    def stop(self) -> None:
        """Sends nothing more. What is in flight is still awaited; what waits to be sent ends at once."""
        self._stopped = True
        self._naps.wake()
        for line in self._lines.values():
            line.circuit.rests.wake()

    async def close(self, within: float | None = None) -> None:
        """Closes every provider, also when one of them fails to close, and waits `within` seconds at the most."""
        closing = (line.provider.close() for line in self._lines.values())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                for error in await asyncio.gather(*closing, return_exceptions=True):
                    if isinstance(error, BaseException):
                        raise error

    async def _try(self, line: Line, asking: _Asking) -> Reply | None:
        """Asks until there is an answer or no hope; None when the model has fallen silent.

        The slot is kept between tries: that eases a struggling server.
        """
        # Whoever waited for a slot or between tries may have waited for a model that went down meanwhile.
        while not line.circuit.open:
            if line.circuit.reason is not None:
                return self._left_alone(line, asking)
            expected = self._expected(line, asking.request)
            paced = time.perf_counter()
            await self._pace(line, expected)
            asking.pacing += time.perf_counter() - paced
            if line.circuit.open or line.circuit.reason is not None:
                continue
            outcome = await self._call(line, asking.request, expected, asking)
            if isinstance(outcome, Answer):
                return asking.reply(outcome, self._price(asking.request.model, outcome))
            delay = self._delay(line, asking, outcome)
            self._failed(line, asking, outcome, last=delay is None)
            if delay is None and (asking.suspect or not line.circuit.open):
                return asking.reply(None)
            if delay is not None and not line.circuit.open:
                rested = time.perf_counter()
                await self._wait(line, delay, outcome)
                asking.resting += time.perf_counter() - rested
        return None

    async def _outlast(self, line: Line, asking: _Asking) -> Reply | None:
        """Waits with all others until a silent model answers again; None when it does, or it is another's turn to ask.

        The probe is a question that the model has answered before: one that it cannot answer would look like an outage
        for ever. Its answer is thrown away.
        """
        circuit = line.circuit
        async with circuit.turn:
            if circuit.open:
                await self._pause(circuit.rest(self._random(), self._clock()), circuit.rests)
            if circuit.open and line.known is not None:
                expected = self._expected(line, line.known)
                await self._pace(line, expected)
                outcome = await self._call(line, line.known, expected)
                if not isinstance(outcome, Answer):
                    circuit.probe_failed(outcome, self._clock())
        if circuit.reason is not None:
            return self._left_alone(line, asking)
        if not circuit.open:
            # The tries that failed were the outage's fault, if it was one.
            out_of_tries = asking.retried > self._policy.retries
            asking.suspect = not circuit.lasted
            asking.retried = 0 if circuit.lasted else min(asking.retried, self._policy.retries)
            if asking.suspect and out_of_tries and not self._policy.retries:
                return asking.reply(None)
        return None

    def _expected(self, line: Line, request: Request) -> Usage:
        return line.forecast.expect(request) if self._budgets or line.pacer else _NO_USAGE

    async def _call(
        self, line: Line, request: Request, expected: Usage, asking: _Asking | None = None
    ) -> Answer | ProviderFailure:
        """One call, for somebody who is `asking` or as a probe."""
        if self._stopped:
            raise Stopped
        held = await self._hold(request, expected)
        began = time.perf_counter()
        spent = held
        try:
            answer = await line.provider.ask(request)
            spent = self._billed(request.model, answer, held)
        except ProviderFailure as failure:
            # A call that fails without a word from the provider, or is cut short, may be billed all the same.
            spent = held if failure.status is None else 0.0
            if asking is not None:
                asking.missed(failure, time.perf_counter() - began)
            line.failed(failure, self._clock())
            return failure
        finally:
            if asking is not None:
                asking.first_call = asking.first_call or began
                asking.calling += time.perf_counter() - began
            for budget in self._budgets:
                budget.settle(held, spent)
        first_try = asking is not None and not asking.failed
        line.answered(request, expected, answer, self._clock(), first_try=first_try)
        kept = replace(answer, limits=None) if answer.limits else answer
        if self._cache is not None and asking is not None:
            self._cache.keep(request, kept)
        return kept

    def _delay(self, line: Line, asking: _Asking, failure: ProviderFailure) -> float | None:
        """Seconds until the next try, None when there is none."""
        elapsed = time.perf_counter() - (asking.first_call or asking.began)
        return self._policy.delay(failure, asking.retried, proven=line.circuit.proven, elapsed=elapsed)

    def _failed(self, line: Line, asking: _Asking, failure: ProviderFailure, *, last: bool) -> None:
        line.circuit.failed(
            failure,
            self._clock(),
            request=asking,
            tries=asking.retried,
            last=last,
            hopeless=self._policy.hopeless(failure),
        )

    @staticmethod
    def _left_alone(line: Line, asking: _Asking) -> Reply:
        """What becomes of a request whose model was given up: errored when it was asked, else nothing at all."""
        if asking.failure is None:
            line.circuit.check()
        return asking.reply(None)

    async def _pace(self, line: Line, expected: Usage) -> None:
        """Waits until the limits of the model let the call go."""
        if line.pacer is None:
            return
        delay = line.pacer.reserve(expected, self._clock())
        if delay > 0:
            await self._pause(delay, self._naps)
        while (delay := line.pacer.leave(self._clock())) > 0:
            await self._pause(delay, self._naps)
        # In the next turn of the loop the request is on its way: the first one imports an SDK before that.
        asyncio.get_running_loop().call_soon(lambda pacer: pacer.left(self._clock()), line.pacer)

    async def _pause(self, delay: float, naps: Naps) -> None:
        for budget in self._budgets:
            budget.check(delay)
        if not self._stopped:
            await naps.take(delay)
        if self._stopped:
            raise Stopped

    async def _hold(self, request: Request, expected: Usage) -> float:
        """Takes a call out of every budget, and returns the US dollars held for it."""
        if not self._budgets:
            return 0.0
        cost = self._bill(request.model, expected) or 0.0
        holding: list[Budget] = []
        try:
            for budget in self._budgets:
                await budget.hold(cost)
                holding.append(budget)
        except BaseException:
            for budget in holding:
                budget.settle(cost, 0.0)
            raise
        return cost

    def _billed(self, model: ModelRef, answer: Answer, held: float) -> float:
        """What an answer is booked with: with what was held for it where the provider does not say its tokens."""
        if not self._budgets or answer.usage is None:
            return held
        billed = self._bill(model, answer.usage)
        return held if billed is None else billed

    async def _wait(self, line: Line, delay: float, failure: ProviderFailure) -> None:
        """Sleeps between two tries, and says so when it takes long."""
        now = time.perf_counter()
        if delay >= _LONG_WAIT and now >= line.quiet_until:
            line.quiet_until = now + delay
            self._notice(f"{failure.message}; waiting {delay:.0f} s")
        await self._pause(delay, self._naps)


def _width(provider: Provider, cap: int | None) -> int:
    return max(1, provider.concurrency if cap is None else min(provider.concurrency, cap))
