"""The result of a request to the gateway, and the bookkeeping until there is one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from promptbench.core.types import Answer, FailedTry, ModelRef, ProviderFailure, Request


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of a request: an answer or a failure, or both with a `fallback`. One from the cache has no `tries`.

    Times are in milliseconds. `queue_ms` is what was spent waiting for a slot, a rate limit and between tries, without
    the provider's time. `limit_ms` is the part for a rate limit, `backoff_ms` the part between tries and in an outage.
    """

    answer: Answer | None
    failure: ProviderFailure | None
    tries: int
    failed_tries: tuple[FailedTry, ...]
    queue_ms: float
    # US dollars, None if unknown. An answer from the cache keeps its price, which is not spent again.
    cost: float | None = None
    limit_ms: float = 0.0
    backoff_ms: float = 0.0
    # The model that was called instead of the request's own, which is disabled. `failure` says why.
    fallback: ModelRef | None = None

    def in_place_of(self, own: Reply, model: ModelRef) -> Reply:
        """Return this reply of the fallback `model` for a request whose own model gave `own`."""
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
class CallProgress:
    """One request on its way through the gateway. Times are seconds of `time.perf_counter`."""

    request: Request
    began: float = field(default_factory=time.perf_counter)
    first_call: float | None = None
    calling: float = 0.0  # in the provider
    pacing: float = 0.0  # waiting for a rate limit
    resting: float = 0.0  # waiting between tries and in an outage
    answer: Answer | None = None
    failure: ProviderFailure | None = None
    failed: list[FailedTry] = field(default_factory=list)
    retried: int = 0  # failed tries since the request began, or since the model came back
    suspect: bool = False  # out of tries while the model answers others, so that one more try decides
    finished: bool = False

    def called(self, outcome: Answer | ProviderFailure, began: float) -> None:
        """Record one try, which began at this time and ends now."""
        seconds = time.perf_counter() - began
        self.first_call = self.first_call or began
        self.calling += seconds
        if isinstance(outcome, Answer):
            self.answer, self.finished = outcome, True
            return
        self.failure = outcome
        self.failed.append(FailedTry(outcome.kind, outcome.message, outcome.status, seconds * 1000))
        self.retried += 1

    def reply(self, cost: float | None = None) -> Reply:
        """Return what there is now as the result."""
        failure = self.failure if self.answer is None else None
        queued = (time.perf_counter() - self.began - self.calling) * 1000
        tries = len(self.failed) + (self.answer is not None)
        limited, rested = self.pacing * 1000, self.resting * 1000
        return Reply(self.answer, failure, tries, tuple(self.failed), queued, cost, limited, rested)
