"""Latency of a set of calls. Milliseconds in, milliseconds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from statistics import fmean, pstdev


@dataclass(frozen=True, slots=True)
class Latency:
    """p50 and p99, mean and standard deviation of `count` calls, in milliseconds."""

    count: int
    p50: float
    p99: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Latency | None:
        """None for no calls."""
        if not times:
            return None
        ordered = sorted(times)
        return cls(len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.99), fmean(ordered), pstdev(ordered))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile of a sorted, non-empty sequence, linear between neighbours (type 7 of Hyndman and Fan 1996)."""
    position = share * (len(ordered) - 1)
    low = floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
