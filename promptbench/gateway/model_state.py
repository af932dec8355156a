"""The state that the gateway keeps for one model: its limits and whether it is available."""

import asyncio
import contextlib
import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType

from promptbench.core.errors import EnvironmentFailure
from promptbench.core.protocols import Provider
from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request, Usage
from promptbench.gateway import headers
from promptbench.gateway.rate_limiter import RateLimiter
from promptbench.gateway.tokens import Forecast


class CancellableSleep:
    """A sleep for many tasks at once; `wake` ends all of them."""

    def __init__(self, sleep: Callable[[float], Awaitable[object]]) -> None:
        self._sleep = sleep
        self._sleeping: set[asyncio.Future[object]] = set()

    async def wait(self, seconds: float) -> None:
        """Return after this many seconds, or when woken."""
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        self._sleeping.add(sleeping)
        try:
            await sleeping
        except asyncio.CancelledError:
            # `wake` cancels only the sleep. If the task itself is being cancelled, it must not carry on.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        finally:
            self._sleeping.discard(sleeping)

    def wake(self) -> None:
        for sleeping in list(self._sleeping):
            sleeping.cancel()


SEVERAL = 5  # requests that fail with no answer in between mean that the model is at fault
LONG_SILENCE = 10.0  # seconds in which several requests fail and none is answered are enough, despite tries left
# Seconds before a probe: doubled after each, with jitter in the upper half.
FIRST_REST = 2.0
LONGEST_REST = 30.0


class ModelDown(EnvironmentFailure):
    """The model is disabled for this run; `reason` is the failure that decided it."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"{model} is disabled for this run: {reason}")
        self.model = model
        self.reason = reason


class Circuit:
    """A circuit breaker: closed, open (one probe at a time), or disabled for this run. Times in seconds of one clock.

    Opening it costs a pause, disabling the model costs the run: so the first takes little evidence, the second minutes.
    A model that has answered before gets up to `patience` seconds for each outage. One that has never answered is most
    likely misspelled or missing, and is disabled after several failed requests. Disabled is final: a run without the
    model is resumed later. `rests` are the sleeps before probes, woken if there is nothing more to wait for; `notice`
    receives sentences for the user.
    """

    def __init__(self, model: str, *, patience: float, rests: CancellableSleep, notice: Callable[[str], None]) -> None:
        self.model = model
        self.patience = patience
        self.rests = rests
        self._notice = notice
        self.proven = False  # the model has answered before
        self.open = False  # only a probe may call the model
        self.reason: str | None = None  # why the model is disabled
        self.turn = asyncio.Lock()  # held by the request that sends the next probe
        self.lasted = False  # a probe failed, so that the last opening was a real outage
        self._failing: Counter[object] = Counter()  # failures of each request since the last answer
        self._without_answer = 0
        self._silent_since = math.inf
        self._until = math.inf
        self._ceiling = FIRST_REST
        self._requested_wait = 0.0

    def check(self) -> None:
        """Raise ModelDown if the model is disabled."""
        if self.reason is not None:
            raise ModelDown(self.model, self.reason)

    def answered(self) -> None:
        """Close the circuit after an answer."""
        self.proven = True
        self._reset()

    def failed(
        self,
        failure: ProviderFailure,
        now: float,
        *,
        request: object,
        tries: int,
        last: bool,
        hopeless: bool,
    ) -> None:
        """Record a failed try of `request`: its number of `tries`, and whether this was the `last` one.

        A rejected request says nothing about the model. One that is out of tries opens the circuit if no other was
        answered since its first try; if the model does answer others, their answers close the circuit at once.
        """
        if failure.kind is FailureKind.REJECTED:
            return
        self._failing[request] += 1
        self._silent_since = min(self._silent_since, now)
        self._without_answer += last
        waits = self.proven and (failure.retry_after or 0.0) <= self.patience
        if self.reason is not None:
            return
        if failure.kind is FailureKind.FATAL or (hopeless and not waits):
            self._disable(failure.message)
        elif self.open:
            return
        elif not (self.proven and self.patience):
            if self._without_answer >= SEVERAL:
                self._disable(failure.message)
        elif (
            hopeless
            or (last and self._failing[request] == tries)
            or (len(self._failing) >= SEVERAL and now - self._silent_since >= LONG_SILENCE)
        ):
            self._open(failure, now)

    def probe_failed(self, failure: ProviderFailure, now: float) -> None:
        """Record a failed probe: the next one comes later, or the model is disabled."""
        if not self.lasted and failure.kind is not FailureKind.REJECTED:
            self.lasted = True
            self._notice(
                f"{self.model} does not answer: {failure.message}; trying again every {LONGEST_REST:g} s or sooner, "
                f"up to {self.patience / 60:g} min (outage-minutes)"
            )
        self._ceiling = min(self._ceiling * 2, LONGEST_REST)
        self._requested_wait = failure.retry_after or 0.0
        if failure.kind is FailureKind.REJECTED:
            self._reset()
        elif failure.kind is FailureKind.FATAL:
            self._disable(failure.message)
        elif now + self._requested_wait >= self._until:
            self._disable(f"no answer for {self.patience / 60:g} min: {failure.message}")

    def rest(self, jitter: float, now: float) -> float:
        """Return the seconds until the next probe. `jitter` is in [0, 1); the last probe ends the patience."""
        return max(0.0, min(max(self._ceiling * (1 + jitter) / 2, self._requested_wait), self._until - now))

    def _open(self, failure: ProviderFailure, now: float) -> None:
        self.open, self.lasted = True, False
        self._until = now + self.patience
        self._ceiling, self._requested_wait = FIRST_REST, failure.retry_after or 0.0

    def _disable(self, reason: str) -> None:
        self.open = False
        self.reason = reason
        self.rests.wake()
        self._notice(f"{self.model} is disabled for this run: {reason}")

    def _reset(self) -> None:
        self._failing.clear()
        self._without_answer = 0
        self._silent_since = math.inf
        if self.open:
            self.open = False
            self.rests.wake()
            if self.lasted:
                self._notice(f"{self.model} answers again")


PER_TURN = 4  # tasks admitted in one turn of the event loop: few enough to spread, enough to be handled together


class ResizableSemaphore:
    """First come, first served. Shrinking does not evict the tasks inside.

    Only a few tasks enter in each turn of the event loop. Requests that are made in the same turn are written in the
    same later turn, answered together and handled together, for ever after: the provider idles while this process
    works, and the other way round. A few per turn spread out.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._entered = 0  # in this turn of the loop

    def resize(self, size: int) -> None:
        self._size = size
        self._admit()

    async def __aenter__(self) -> None:
        if self._inside < self._size and not self._waiting and self._entered < PER_TURN:
            self._enter()
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                with contextlib.suppress(ValueError):
                    self._waiting.remove(waiter)
            else:
                self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _enter(self) -> None:
        self._inside += 1
        self._entered += 1
        if self._entered == 1:
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._entered = 0
        self._admit()

    def _leave(self) -> None:
        self._inside -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._inside < self._size and self._entered < PER_TURN:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._enter()
                waiter.set_result(None)


# Slow start and cuts follow inspect_ai's adaptive connections, and so do the numbers.
START = 20
LEAST = 10
GROWTH = 1.05
CUT = 0.8
COOLDOWN = 15.0  # seconds after a cut without another cut or growth; longer if the server asks for it


class AdaptiveLimit:
    """The current limit for one model, between 10 and `most`; a smaller `most` is used as it is. Times in seconds."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = min(START, most)
        self._slow_start = True
        self._clean = 0
        self._quiet_until = -math.inf

    def answered(self, now: float) -> None:
        """Count an answer at the first try. As many of them as the limit are a reason to grow."""
        self._clean += 1
        if self._clean < self.size:
            return
        self._clean = 0
        if now >= self._quiet_until:
            self.size = min(
                self.size * 2 if self._slow_start else max(self.size + 1, int(self.size * GROWTH)), self.most
            )

    def failed(self) -> None:
        """Restart counting after a failure that is not a rate limit. The limit stays."""
        self._clean = 0

    def rate_limited(self, now: float, retry_after: float | None) -> None:
        """Cut the limit once, however many calls are rejected at the same time."""
        self._slow_start = False
        self._clean = 0
        if now >= self._quiet_until:
            self.size = max(int(self.size * CUT), min(LEAST, self.most))
            self._quiet_until = now + COOLDOWN
        self._quiet_until = max(self._quiet_until, now + (retry_after or 0.0))


class ModelState:
    """One model. `slots` is the only limit on calls at once: adaptive with a rate limiter, else constantly `most`.

    While no rate limit is known, the first request goes alone: its answer announces the limits, if the server has any,
    before a burst can be punished.
    """

    def __init__(self, provider: Provider, most: int, limiter: RateLimiter | None, circuit: Circuit) -> None:
        self.provider = provider
        self.most = most
        self.circuit = circuit
        self.limiter = limiter
        self.answered_last: Request | None = None
        self.forecast = Forecast()
        self.spent_last = 0.0  # US dollars that the budgets were charged for the last call
        self.quiet_until = 0.0  # no wait is reported to the user before this time
        self.replaced = False  # by its fallback, which is announced once
        self._limit = AdaptiveLimit(most) if limiter else None
        self._alone = limiter is not None and not limiter.limits_requests
        self.slots = ResizableSemaphore(1 if self._alone else self._limit.size if self._limit else most)

    def answered(self, request: Request, expected: Usage, answer: Answer, now: float, *, first_try: bool) -> None:
        """Learn from an answer. One that took several tries is a reason neither to grow nor to shrink."""
        was_away = self.circuit.open and self.circuit.lasted
        self.circuit.answered()
        self.answered_last = request
        if answer.usage is not None:
            self.forecast.learn(request, answer.usage)
        if self.limiter is None or self._limit is None:
            return
        if answer.usage is not None:
            self.limiter.settle(expected, answer.usage)
        self._announced(self.limiter, answer.limits, now)
        self._alone = False
        if was_away:
            # All waiting requests would reach a server that has just come back at once.
            self._limit = AdaptiveLimit(self.most)
        elif first_try:
            self._limit.answered(now)
        self.slots.resize(self._limit.size)

    def failed(self, failure: ProviderFailure, now: float) -> None:
        """Learn from a failed try."""
        if self.limiter is None or self._limit is None:
            return
        self._announced(self.limiter, failure.limits, now)
        if failure.kind is FailureKind.RATE_LIMIT:
            self._limit.rate_limited(now, failure.retry_after)
            self._alone = self._alone and not self.limiter.limits_requests
        else:
            # More calls do not harm a server that is not there, and it is disabled sooner.
            self._limit.failed()
            self._alone = False
        if not self._alone:
            self.slots.resize(self._limit.size)

    @staticmethod
    def _announced(limiter: RateLimiter, limits: Mapping[str, str] | None, now: float) -> None:
        if limits:
            limiter.announce(headers.read(limits, datetime.now(UTC)), now)
