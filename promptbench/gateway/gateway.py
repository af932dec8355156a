"""The only caller of providers: one slot for each request in flight, retries, and an end to calling a dead model."""

from __future__ import annotations

import asyncio
import random as random_module
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.core.protocols import Provider
from promptbench.core.types import Answer, FailureKind, ModelRef, ProviderFailure, Request, Usage
from promptbench.gateway.budget import Budget
from promptbench.gateway.limits import Pacer
from promptbench.gateway.line import Line
from promptbench.gateway.retry import RetryPolicy

_LONG_WAIT = 5.0
"""Seconds from which a wait is worth a word to the user."""
_NO_USAGE = Usage(0, 0)


@dataclass(frozen=True, slots=True)
class Try:
    """One failed try."""

    failure_kind: FailureKind
    message: str
    status: int | None
    provider_ms: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request: exactly one of `answer` and `failure` is set.

    `queue_ms` is the time spent waiting for a slot and between tries, apart from the provider's time.
    """

    answer: Answer | None
    failure: ProviderFailure | None
    tries: int
    failed_tries: tuple[Try, ...]
    queue_ms: float
    cost: float | None = None
    """US dollars for the answer; None when nobody knows."""


Price = Callable[[ModelRef, Answer], float | None]
Bill = Callable[[ModelRef, Usage], float | None]
"""What a call with so many tokens is billed with, in US dollars."""


class Gateway:
    """Asks the providers, keyed by model reference (`openai/gpt-5-mini`). `notice` gets sentences for the user.

    A model with one of the `pacers` is kept within its rate limits and asked as much at once as does it good; one
    without is asked as much at once as its provider says.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        retries: int = 4,
        concurrency: int | None = None,
        price: Price = lambda model, answer: None,
        bill: Bill = lambda model, usage: 0.0,
        budgets: Sequence[Budget] = (),
        pacers: Mapping[str, Pacer] | None = None,
        notice: Callable[[str], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._lines = {
            model: Line(model, provider, _width(provider, concurrency), (pacers or {}).get(model))
            for model, provider in providers.items()
        }
        self._policy = RetryPolicy(retries, random)
        self._price = price
        self._bill = bill
        self._budgets = budgets
        self._notice = notice
        self._sleep = sleep
        self._clock = clock

    async def ask(self, request: Request) -> Reply:
        """The reply, after retries. Raises ModelDown at once when the model has been given up, BudgetReached when a
        call could go beyond the budget.
        """
        line = self._lines[str(request.model)]
        line.circuit.check()
        queued = time.perf_counter()
        async with line.slots:
            # Whoever waited for a slot may have waited for a model that went down meanwhile.
            line.circuit.check()
            return await self._try(line, request, time.perf_counter() - queued)

    async def close(self) -> None:
        """Closes every provider, also when one of them fails to close."""
        closed = await asyncio.gather(*(line.provider.close() for line in self._lines.values()), return_exceptions=True)
        for error in closed:
            if isinstance(error, BaseException):
                raise error

    async def _try(self, line: Line, request: Request, waited: float) -> Reply:
        """Asks until there is an answer or no hope. The slot is kept between tries: that eases a struggling server."""
        failed: list[Try] = []
        started = time.perf_counter()
        while True:
            queued = time.perf_counter()
            expected = line.forecast.expect(request) if self._budgets or line.pacer else _NO_USAGE
            await self._pace(line, expected)
            held = await self._hold(request, expected)
            began = time.perf_counter()
            waited += began - queued
            spent = held
            try:
                answer = await line.provider.ask(request)
                spent = self._billed(request.model, answer, held)
            except ProviderFailure as error:
                # A call that fails without a word from the provider, or is cut short, may be billed all the same.
                spent = held if error.status is None else 0.0
                failure, now = error, time.perf_counter()
                failed.append(Try(failure.kind, failure.message, failure.status, (now - began) * 1000))
            else:
                line.answered(request, expected, answer, self._clock(), first_try=not failed)
                cost = self._price(request.model, answer)
                kept = replace(answer, limits=None) if answer.limits else answer
                return Reply(kept, None, len(failed) + 1, tuple(failed), waited * 1000, cost)
            finally:
                for budget in self._budgets:
                    budget.settle(held, spent)
            line.failed(failure, self._clock())
            delay = self._policy.delay(failure, len(failed), proven=line.circuit.proven, elapsed=now - started)
            if delay is not None:
                waited += await self._wait(line, delay, failure)
            if delay is None or line.circuit.reason is not None:
                self._give_up(line, failure)
                return Reply(None, failure, len(failed), tuple(failed), waited * 1000)

    async def _pace(self, line: Line, expected: Usage) -> None:
        """Waits until the limits of the model let the call go."""
        if line.pacer is None:
            return
        delay = line.pacer.reserve(expected, self._clock())
        if delay > 0:
            await self._pause(delay)
        while (delay := line.pacer.leave(self._clock())) > 0:
            await self._pause(delay)

    async def _pause(self, delay: float) -> None:
        for budget in self._budgets:
            budget.check(delay)
        await self._sleep(delay)

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

    async def _wait(self, line: Line, delay: float, failure: ProviderFailure) -> float:
        """Sleeps, says so when it takes long, and returns the seconds that it really took."""
        began = time.perf_counter()
        if delay >= _LONG_WAIT and began >= line.quiet_until:
            line.quiet_until = began + delay
            self._notice(f"{failure.message}; waiting {delay:.0f} s")
        await self._pause(delay)
        return time.perf_counter() - began

    def _give_up(self, line: Line, failure: ProviderFailure) -> None:
        was_down = line.circuit.reason is not None
        line.circuit.failed(failure, hopeless=self._policy.hopeless(failure))
        if line.circuit.reason is not None and not was_down:
            self._notice(f"{line.circuit.model} is given up: {line.circuit.reason}")


def _width(provider: Provider, cap: int | None) -> int:
    return max(1, provider.concurrency if cap is None else min(provider.concurrency, cap))
