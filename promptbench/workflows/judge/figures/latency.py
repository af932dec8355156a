"""Collect the times of a run's calls compactly, for hundreds of thousands of them, and summarise them for reports."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from promptbench.metrics.latency import ENOUGH, Latency, by_tokens
from promptbench.report.words import duration

_UNKNOWN = -1
_WORTH_SAYING = 1000.0  # milliseconds; shorter waits are not reported


@dataclass(slots=True)
class Timing:
    """The times of the calls of this run in milliseconds, one item per call in every array.

    Answers that were stored, or that came by batch, have no time.
    """

    provider: array[float] = field(default_factory=lambda: array("d"))
    queue: array[float] = field(default_factory=lambda: array("d"))
    first_byte: array[float] = field(default_factory=lambda: array("d"))  # of remote models only
    input_tokens: array[int] = field(default_factory=lambda: array("i"))
    output_tokens: array[int] = field(default_factory=lambda: array("i"))
    limit: float = 0.0  # total wait for rate limits
    backoff: float = 0.0  # total wait between tries

    def count(
        self,
        input_tokens: int | None,
        output_tokens: int | None,
        provider: float,
        first_byte: float | None,
        queue: float,
        limit: float | None,
        backoff: float | None,
    ) -> None:
        """Add a call with its waits, as on record."""
        self.provider.append(provider)
        self.queue.append(queue)
        if first_byte is not None:
            self.first_byte.append(first_byte)
        self.input_tokens.append(_UNKNOWN if input_tokens is None else input_tokens)
        self.output_tokens.append(_UNKNOWN if output_tokens is None else output_tokens)
        self.limit += limit or 0.0
        self.backoff += backoff or 0.0

    def latency(self) -> Latency | None:
        return Latency.of(self.provider)

    def figures(self) -> dict[str, Any]:
        """Return the times of a row, as in `report.model.Row`."""
        latency, queue, first_byte = self.latency(), Latency.of(self.queue), Latency.of(self.first_byte)
        return {
            "timed": len(self.provider),
            "few": len(self.provider) < ENOUGH,
            "p50_ms": latency.p50 if latency else None,
            "p90_ms": latency.p90 if latency else None,
            "p99_ms": latency.p99 if latency else None,
            "mean_ms": latency.mean if latency else None,
            "deviation_ms": latency.deviation if latency else None,
            "first_byte_p50_ms": first_byte.p50 if first_byte else None,
            "queue_p50_ms": queue.p50 if queue else None,
            "queue_p99_ms": queue.p99 if queue else None,
            "by_input_tokens": by_tokens(self.provider, self.input_tokens),
            "by_output_tokens": by_tokens(self.provider, self.output_tokens),
        }


def longer_wait(model: str, timings: Sequence[Timing]) -> str | None:
    """Return a note if calls queued longer than the model took; None otherwise.

    Queueing for a slot is normal at the start of a run, while concurrency ramps up. It is reported only if at least
    half of 100 or more calls queued longer than the model took.
    """
    if max((time for timing in timings for time in timing.queue), default=0.0) <= _WORTH_SAYING:
        return None
    provider = Latency.of([time for timing in timings for time in timing.provider])
    queue = Latency.of([time for timing in timings for time in timing.queue])
    if provider is None or queue is None or queue.p99 <= max(provider.p99, _WORTH_SAYING):
        return None
    limit, backoff = sum(timing.limit for timing in timings), sum(timing.backoff for timing in timings)
    slot = queue.mean * queue.count - limit - backoff
    if slot > max(limit, backoff):
        if queue.count < ENOUGH or queue.p50 <= provider.p50:
            return None
        why = "for a free slot: raise --concurrency, if the provider allows it"
    elif limit > backoff:
        why = "for a rate limit: raise it, or make fewer calls"
    else:
        why = "between retries: lower --concurrency, or set a rate limit"
    return (
        f"{model}: waiting in the queue took longer than the model: p99 queue {duration(queue.p99)}, model "
        f"{duration(provider.p99)}; most of it {why}"
    )
