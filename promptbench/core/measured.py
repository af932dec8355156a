"""One call of a benchmark: when it was due and where its time went. Times are in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.core.types import Usage


@dataclass(frozen=True, slots=True)
class MeasuredCall:
    """`latency_ms` is from the moment at which the call was due until its answer, or its last failure, was there:
    whatever it waited for is in it. `queue_ms` is what it waited in promptbench, `provider_ms` what the try that
    answered took; what is left are tries that failed.
    """

    model: str
    number: int  # Counts from 0, by model, in the order in which the calls were due.
    case: str
    due_ms: float  # From the start of the measurement.
    late_ms: float  # The part of `queue_ms` by which this machine was late to begin.
    latency_ms: float
    queue_ms: float
    tries: int
    provider_ms: float | None = None
    connect_ms: float | None = None
    first_byte_ms: float | None = None
    # From the call to the first piece of the answer's text; None where the provider gives it as a whole.
    first_token_ms: float | None = None
    usage: Usage | None = None
    cost: float | None = None
    error: str | None = None  # Why there is no answer; None where there is one.
