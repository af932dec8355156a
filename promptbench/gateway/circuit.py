"""A circuit breaker: closed, open (one probe at a time), or disabled for this run.

Opening it costs a pause, disabling the model costs the run: so the first takes little evidence, the second minutes.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable

from promptbench.core.errors import EnvironmentFailure
from promptbench.core.types import FailureKind, ProviderFailure


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
    """The state of one model. All times are of one clock, in seconds.

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
