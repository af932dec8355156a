"""Whether a model is asked: as ever, by one probe at a time while it is silent, or no more.

A circuit breaker with its usual states. Opening it costs a pause and giving up costs the run, so the first takes little
evidence and the second takes minutes.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable

from promptbench.core.errors import EnvironmentFailure
from promptbench.core.types import FailureKind, ProviderFailure
from promptbench.gateway.naps import Naps

SEVERAL = 5
"""Requests that fail with no answer in between, from which it is the model and not the requests."""
LONG_SILENCE = 10.0
"""Seconds in which several have failed and none was answered: enough, although they have tries left."""
FIRST_REST = 2.0
LONGEST_REST = 30.0
"""Seconds before a probe; twice as long after each, with jitter in the upper half."""


class ModelDown(EnvironmentFailure):
    """The model has been given up in this process; `reason` is the failure that decided it."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"{model} is given up: {reason}")
        self.model = model
        self.reason = reason


class Circuit:
    """The state of one model. All times are of one clock, in seconds.

    A model that has answered before is waited for, up to `patience` seconds an outage. One that has never answered is
    most likely written wrongly or not there, and is given up when several requests have failed. Given up is given up:
    a run without this model is resumed later. `rests` are those of its probes, woken when there is nothing more to
    wait for; `notice` gets sentences for the user.
    """

    def __init__(self, model: str, *, patience: float, rests: Naps, notice: Callable[[str], None]) -> None:
        self.model = model
        self.patience = patience
        self.rests = rests
        self._notice = notice
        self.proven = False
        """Whether the model has ever answered."""
        self.open = False
        """Whether the model is silent and only a probe may ask it."""
        self.reason: str | None = None
        """Why it is given up."""
        self.turn = asyncio.Lock()
        """Held by whoever is next to ask a silent model."""
        self.lasted = False
        """Whether a probe of the last outage failed, so that it was one."""
        self._failing: Counter[object] = Counter()
        """How often each request has failed since the last answer."""
        self._without_answer = 0
        self._silent_since = math.inf
        self._until = math.inf
        self._ceiling = FIRST_REST
        self._asked = 0.0

    def check(self) -> None:
        """Raises ModelDown when the model is given up."""
        if self.reason is not None:
            raise ModelDown(self.model, self.reason)

    def answered(self) -> None:
        """An answer: the model is there, and earlier failures were others' or its past."""
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
        """Takes note of a failed try of `request`, after so many `tries` the `last` one or not.

        A rejected request says nothing about the model. One that is out of tries means silence when nobody else has
        been answered since its first; should the model be busy with others all the same, their answers close the
        circuit at once.
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
            self._give_up(failure.message)
        elif self.open:
            return
        elif not (self.proven and self.patience):
            if self._without_answer >= SEVERAL:
                self._give_up(failure.message)
        elif hopeless or (last and self._failing[request] == tries) or self._is_long_silent(now):
            self._open(failure, now)

    def probe_failed(self, failure: ProviderFailure, now: float) -> None:
        """Takes note of a probe without answer: the next one comes later, or the patience is over."""
        if not self.lasted and failure.kind is not FailureKind.REJECTED:
            self.lasted = True
            self._notice(
                f"{self.model} does not answer: {failure.message}; trying again every {LONGEST_REST:g} s or sooner, "
                f"up to {self.patience / 60:g} min (outage-minutes)"
            )
        self._ceiling = min(self._ceiling * 2, LONGEST_REST)
        self._asked = failure.retry_after or 0.0
        if failure.kind is FailureKind.REJECTED:
            self._reset()
        elif failure.kind is FailureKind.FATAL:
            self._give_up(failure.message)
        elif now + self._asked >= self._until:
            self._give_up(f"no answer for {self.patience / 60:g} min: {failure.message}")

    def rest(self, jitter: float, now: float) -> float:
        """Seconds until the next probe. `jitter` is in [0, 1); the last probe is at the end of the patience."""
        rest = max(self._ceiling * (1 + jitter) / 2, self._asked)
        return max(0.0, min(rest, self._until - now))

    def _is_long_silent(self, now: float) -> bool:
        return len(self._failing) >= SEVERAL and now - self._silent_since >= LONG_SILENCE

    def _open(self, failure: ProviderFailure, now: float) -> None:
        self.open, self.lasted = True, False
        self._until = now + self.patience
        self._ceiling, self._asked = FIRST_REST, failure.retry_after or 0.0

    def _give_up(self, reason: str) -> None:
        self.open = False
        self.reason = reason
        self.rests.wake()
        self._notice(f"{self.model} is given up: {reason}")

    def _reset(self) -> None:
        self._failing.clear()
        self._without_answer = 0
        self._silent_since = math.inf
        if self.open:
            self.open = False
            self.rests.wake()
            if self.lasted:
                self._notice(f"{self.model} answers again")
