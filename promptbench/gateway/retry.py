"""Decide whether and when a failed call is repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptbench.core.types import FailureKind, ProviderFailure

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
