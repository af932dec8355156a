"""The only component that calls providers.

A request passes these stages, all of them in `Gateway.call`:

1. cache and batches: a stored answer ends the call here, and so does a request that waits for its batch
2. circuit breaker: in an outage, wait for a probe to succeed; raise ModelDown if the model is disabled
3. concurrency: one slot per request, the only limit on calls at once
4. rate limit: wait until the model's limits allow the call
5. budget: reserve the expected cost while the call is in flight
6. provider
7. retry: back off and return to 4, or end with the failure
"""

import asyncio
import contextlib
import random as random_module
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.core.protocols import Provider
from promptbench.core.types import Answer, FailureKind, ModelRef, ProviderFailure, Request, Usage
from promptbench.gateway.budget import Budget, Charge
from promptbench.gateway.cache import Cache
from promptbench.gateway.model_state import CancellableSleep, Circuit, ModelDown, ModelState
from promptbench.gateway.rate_limiter import RateLimiter
from promptbench.gateway.reply import CallProgress, Reply

FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0
# Seconds. A model whose server requests a longer wait is disabled for this run, unless outages may take longer.
LONGEST_WAIT_ASKED = 60.0

UNPROVEN_RETRIES = 2
UNPROVEN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter: a delay is uniform in [0, min(8, 0.5·2ⁿ)] seconds after n+1 failures.

    A model that has never answered gets fewer and shorter chances, so that a dead server ends a run in seconds.
    """

    retries: int
    random: Callable[[], float]
    longest_wait: float = LONGEST_WAIT_ASKED

    def delay(self, failure: ProviderFailure, failures: int, *, proven: bool, elapsed: float) -> float | None:
        """Return the seconds until the next try, None to stop. `failures` and `elapsed` seconds are this request's."""
        if self.hopeless(failure) or failure.kind is FailureKind.REJECTED or failures > self.retries:
            return None
        unproven = failure.kind is FailureKind.TRANSIENT and not proven
        if unproven and (failures > UNPROVEN_RETRIES or elapsed > UNPROVEN_SECONDS):
            return None
        return max(self.random() * min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (failures - 1)), failure.retry_after or 0.0)

    def hopeless(self, failure: ProviderFailure) -> bool:
        """Return whether this failure alone means that the model is down."""
        return failure.kind is FailureKind.FATAL or (failure.retry_after or 0.0) > self.longest_wait


_LONG_WAIT = 5.0  # seconds from which a wait is reported to the user
_NO_USAGE = Usage(0, 0)


class Stopped(Exception):
    """A request was not sent: the gateway was stopped, or the request waits for its batch."""


Price = Callable[[ModelRef, Answer], float | None]
Bill = Callable[[ModelRef, Usage], float | None]  # US dollars for a call with this usage


class Gateway:
    """Calls providers, keyed by model reference (`openai/gpt-5.4-mini`). `notice` receives sentences for the user.

    `concurrency` is the number of calls at once to each model; by default each provider's own. A model with one of the
    `limiters` is kept within its rate limits, and its concurrency adapts. An outage is waited out for `patience`
    seconds. `batched` returns the reply that came in a batch, None for a request that has to be sent.
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
        limiters: Mapping[str, RateLimiter] | None = None,
        cache: Cache | None = None,
        batched: Callable[[Request], Reply | None] = lambda request: None,
        notice: Callable[[str], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._models = {}
        for model, provider in providers.items():
            most, bound = concurrency or provider.concurrency, provider.max_concurrency
            if concurrency and bound is not None and concurrency > bound:
                notice(f"{model} takes at most {bound} calls at once, so --concurrency {concurrency} is {bound} for it")
                most = bound
            circuit = Circuit(model, patience=patience, rests=CancellableSleep(sleep), notice=notice)
            self._models[model] = ModelState(provider, max(1, most), (limiters or {}).get(model), circuit)
        self._policy = RetryPolicy(retries, random, max(LONGEST_WAIT_ASKED, patience))
        self._price = price
        self._bill = bill
        self._budgets = budgets
        self._cache = cache
        self._batched = batched
        self._notice = notice
        self._sleep = CancellableSleep(sleep)
        self._clock = clock
        self._random = random
        self._stopped = False

    def concurrency(self, model: str) -> int:
        """Return the most calls at once that a model may get."""
        return self._models[model].most

    @property
    def disabled(self) -> dict[str, str]:
        """The models that are disabled for this run, and why."""
        return {name: model.circuit.reason for name, model in self._models.items() if model.circuit.reason}

    async def call(self, request: Request, fallback: ModelRef | None = None) -> Reply:
        """Return the model's reply, or that of the `fallback` if the model is disabled.

        Raises ModelDown if the model and its fallback are disabled, BudgetReached if the call could exceed the budget,
        Stopped if `stop` was called before the request was sent, or if it waits for its batch.
        """
        model = self._models[str(request.model)]
        if self._cache is not None and (kept := self._cache.find(request)) is not None:
            return Reply(replace(kept, recorded=True), None, 0, (), 0.0, self._price(request.model, kept))
        progress, disabled = CallProgress(request), None
        if model.circuit.reason is None and (reply := self._batched(request)) is not None:
            return await self._from_batch(model, progress, fallback, reply)
        try:
            model.circuit.check()
            while not progress.finished:
                if model.circuit.open:
                    await self._await_recovery(model, progress)
                    continue
                # The slot is kept between tries: that eases a struggling server.
                async with model.slots:
                    while not progress.finished and not model.circuit.open:
                        # The model may have been disabled while this request waited for the slot or between tries.
                        if self._ends_with_model(model, progress):
                            break
                        expected = self._expected_usage(model, request)
                        await self._pace(model, expected, progress)
                        if model.circuit.open or model.circuit.reason is not None:
                            continue
                        async with self._charge(model, request, expected) as charge:
                            began = time.perf_counter()
                            try:
                                outcome: Answer | ProviderFailure = await model.provider.complete(request)
                            except ProviderFailure as failure:
                                outcome = failure
                            progress.called(outcome, began)
                            charge.spent = model.spent_last = self._spent(request, outcome, charge)
                        if isinstance(outcome, Answer):
                            self._learn(model, progress, expected, outcome)
                        else:
                            await self._back_off(model, progress, outcome)
        except Stopped:
            if progress.failure is None:
                raise
        except ModelDown as error:
            if fallback is None:
                raise
            disabled = error
            progress.failure = ProviderFailure(FailureKind.FATAL, error.message)
        reply = progress.reply(None if progress.answer is None else self._price(request.model, progress.answer))
        if fallback is None or reply.answer is not None or model.circuit.reason is None:
            return reply
        return await self._fall_back(model, request, fallback, reply, disabled)

    async def _from_batch(
        self, model: ModelState, progress: CallProgress, fallback: ModelRef | None, reply: Reply
    ) -> Reply:
        if reply.answer is not None and self._cache is not None:
            self._cache.keep(progress.request, reply.answer)
        if reply.failure is None or reply.failure.kind is not FailureKind.FATAL:
            return reply
        model.circuit.failed(
            reply.failure, self._clock(), request=progress, tries=reply.tries, last=True, hopeless=True
        )
        return reply if fallback is None else await self._fall_back(model, progress.request, fallback, reply, None)

    def stop(self) -> None:
        """Send nothing more. Calls in flight are still awaited; what waits to be sent ends at once."""
        self._stopped = True
        self._sleep.wake()
        for model in self._models.values():
            model.circuit.rests.wake()

    async def close(self, within: float | None = None) -> None:
        """Close every provider, even if one of them fails to close. Wait at most `within` seconds."""
        closing = (model.provider.close() for model in self._models.values())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                for error in await asyncio.gather(*closing, return_exceptions=True):
                    if isinstance(error, BaseException):
                        raise error

    async def _fall_back(
        self, model: ModelState, request: Request, fallback: ModelRef, own: Reply, disabled: ModelDown | None
    ) -> Reply:
        try:
            other = await self.call(replace(request, model=fallback))
        except ModelDown:
            if disabled is not None:
                raise disabled from None
            return own
        if not model.replaced:
            model.replaced = True
            self._notice(f"calling {fallback} instead of {request.model}; its answers are shown and prove nothing")
        return other.in_place_of(own, fallback)

    # Circuit breaker

    async def _await_recovery(self, model: ModelState, progress: CallProgress) -> None:
        # Wait with all other requests until an unavailable model answers a probe, or it is this request's turn.
        #
        # The probe is a request that the model has answered before: one that it cannot answer would look like an outage
        # for ever. Its answer is discarded.
        circuit, rested = model.circuit, time.perf_counter()
        async with circuit.turn:
            if circuit.open:
                await self._wait(circuit.rest(self._random(), self._clock()), circuit.rests)
            if circuit.open and model.answered_last is not None:
                await self._probe(model, model.answered_last)
        progress.resting += time.perf_counter() - rested
        if self._ends_with_model(model, progress) or circuit.open:
            return
        # If there was an outage, the failed tries were its fault.
        out_of_tries = progress.retried > self._policy.retries
        progress.suspect = not circuit.lasted
        progress.retried = 0 if circuit.lasted else min(progress.retried, self._policy.retries)
        progress.finished = progress.suspect and out_of_tries and not self._policy.retries

    async def _probe(self, model: ModelState, request: Request) -> None:
        expected = self._expected_usage(model, request)
        await self._pace(model, expected)
        async with self._charge(model, request, expected) as charge:
            try:
                outcome: Answer | ProviderFailure = await model.provider.complete(request)
            except ProviderFailure as failure:
                outcome = failure
            charge.spent = model.spent_last = self._spent(request, outcome, charge)
        if isinstance(outcome, Answer):
            model.answered(request, expected, outcome, self._clock(), first_try=False)
        else:
            model.failed(outcome, self._clock())
            model.circuit.probe_failed(outcome, self._clock())

    @staticmethod
    def _ends_with_model(model: ModelState, progress: CallProgress) -> bool:
        # Whether the request is over because its model is disabled. Raises ModelDown if it was never sent.
        if model.circuit.reason is None:
            return False
        if progress.failure is None:
            model.circuit.check()
        progress.finished = True
        return True

    # Rate limit

    def _expected_usage(self, model: ModelState, request: Request) -> Usage:
        return model.forecast.expect(request) if self._budgets or model.limiter else _NO_USAGE

    async def _pace(self, model: ModelState, expected: Usage, progress: CallProgress | None = None) -> None:
        if model.limiter is not None:
            paced = time.perf_counter()
            delay = model.limiter.reserve(expected, self._clock())
            if delay > 0:
                await self._wait(delay, self._sleep)
            while (delay := model.limiter.leave(self._clock())) > 0:
                await self._wait(delay, self._sleep)
            # The request leaves in the next turn of the loop: the first one imports an SDK before that.
            asyncio.get_running_loop().call_soon(lambda limiter: limiter.sent(self._clock()), model.limiter)
            if progress is not None:
                progress.pacing += time.perf_counter() - paced
        if self._stopped:
            raise Stopped

    async def _wait(self, delay: float, sleep: CancellableSleep) -> None:
        for budget in self._budgets:
            budget.check(delay)
        if not self._stopped:
            await sleep.wait(delay)
        if self._stopped:
            raise Stopped

    # Budget

    def _charge(self, model: ModelState, request: Request, expected: Usage) -> Charge:
        # Machine time is known only after a call: this one is expected to take as long as the last one.
        known = self._bill(request.model, expected) if self._budgets else 0.0
        return Charge(self._budgets, known or model.spent_last)

    def _spent(self, request: Request, outcome: Answer | ProviderFailure, charge: Charge) -> float:
        # Return what a call cost: the reserved amount if neither its tokens nor its time have a known price.
        if isinstance(outcome, ProviderFailure):
            # A call that fails without a reply, or is cut short, may be billed all the same.
            return charge.reserved if outcome.status is None else 0.0
        if not self._budgets:
            return charge.reserved
        billed = self._bill(request.model, outcome.usage) if outcome.usage is not None else None
        # What is not billed by tokens may take priced time of this machine.
        spent = billed or self._price(request.model, outcome)
        return charge.reserved if spent is None else spent

    # After the call

    def _learn(self, model: ModelState, progress: CallProgress, expected: Usage, answer: Answer) -> None:
        model.answered(progress.request, expected, answer, self._clock(), first_try=not progress.failed)
        if answer.limits:
            # Rate-limit headers are for the gateway only.
            progress.answer = answer = replace(answer, limits=None)
        if self._cache is not None:
            self._cache.keep(progress.request, answer)

    async def _back_off(self, model: ModelState, progress: CallProgress, failure: ProviderFailure) -> None:
        # Wait until the next try, or end the request if it has none left.
        model.failed(failure, self._clock())
        circuit = model.circuit
        delay = self._policy.delay(
            failure,
            progress.retried,
            proven=circuit.proven,
            elapsed=time.perf_counter() - (progress.first_call or progress.began),
        )
        hopeless = self._policy.hopeless(failure)
        circuit.failed(
            failure, self._clock(), request=progress, tries=progress.retried, last=delay is None, hopeless=hopeless
        )
        if delay is None:
            progress.finished = progress.suspect or not circuit.open
        elif not circuit.open:
            now = time.perf_counter()
            if delay >= _LONG_WAIT and now >= model.quiet_until:
                model.quiet_until = now + delay
                self._notice(f"{failure.message}; waiting {delay:.0f} s")
            await self._wait(delay, self._sleep)
            progress.resting += time.perf_counter() - now
