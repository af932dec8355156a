"""One call of a benchmark and its times in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.core.types import Usage


@dataclass(frozen=True, slots=True)
class MeasuredCall:
    """A measured call.

    `latency_ms` lasts from the time at which the call was due until its answer or last failure, with all waiting.
    It consists of `queue_ms`, the time spent waiting in promptbench, `provider_ms`, the time of the successful try,
    and the time of failed tries.
    """

    model: str
    number: int  # From 0 for each model, in the order of `due_ms`.
    case: str
    due_ms: float  # Since the start of the measurement.
    late_ms: float  # The part of `queue_ms` caused by a late start of this machine.
    latency_ms: float
    queue_ms: float
    tries: int
    provider_ms: float | None = None
    connect_ms: float | None = None
    first_byte_ms: float | None = None
    # From the call to the first text of the answer; None if the provider does not stream.
    first_token_ms: float | None = None
    usage: Usage | None = None
    cost: float | None = None
    error: str | None = None  # The reason why there is no answer.
