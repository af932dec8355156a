"""Latency statistics of calls, and by their tokens. Times keep their unit: milliseconds in, milliseconds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import dist, floor, fsum, sqrt

# With fewer calls a p99 is between the two slowest ones, so it says no more than the slowest.
ENOUGH = 100
# Bits of the first bucket: answers of fewer than 16 tokens take about the same time.
_FIRST = 4


@dataclass(frozen=True, slots=True)
class Latency:
    """Quantiles, mean and standard deviation (of these calls, not of a population) of `count` calls."""

    count: int
    p50: float
    p90: float
    p99: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Latency | None:
        """Return the statistics, or None without calls."""
        if not times:
            return None
        ordered = sorted(times)
        count = len(ordered)
        mean = fsum(ordered) / count
        deviation = dist(ordered, [mean] * count) / sqrt(count)
        return cls(count, quantile(ordered, 0.5), quantile(ordered, 0.9), quantile(ordered, 0.99), mean, deviation)


@dataclass(frozen=True, slots=True)
class TokenTimes:
    """The times of the calls with `least` to `most` tokens, both included, in milliseconds.

    `few` if these are fewer than 100 calls, so that the p99 is between the two slowest.
    """

    least: int
    most: int
    calls: int
    few: bool
    p50_ms: float
    p90_ms: float
    p99_ms: float
    deviation_ms: float


def by_tokens(times: Sequence[float], tokens: Sequence[int]) -> list[TokenTimes]:
    """Return the latency of calls by their tokens, in buckets up to 15, 31, 63, 127 and so on, without empty ones.

    `times` and `tokens` are parallel. A call with unknown tokens has −1, and is in no bucket.
    """
    parts: dict[int, list[float]] = {}
    for time, count in zip(times, tokens, strict=True):
        if count >= 0:
            parts.setdefault(max(count.bit_length(), _FIRST), []).append(time)
    return [
        TokenTimes(
            least=0 if bits == _FIRST else 1 << (bits - 1),
            most=(1 << bits) - 1,
            calls=latency.count,
            few=latency.count < ENOUGH,
            p50_ms=latency.p50,
            p90_ms=latency.p90,
            p99_ms=latency.p99,
            deviation_ms=latency.deviation,
        )
        for bits, part in sorted(parts.items())
        if (latency := Latency.of(part))
    ]


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of a sorted, non-empty sequence, interpolated linearly (type 7 of Hyndman and Fan 1996)."""
    position = share * (len(ordered) - 1)
    low = floor(position)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (position - low)
