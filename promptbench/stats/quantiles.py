"""Quantiles and standard deviations with intervals that ask nothing of a distribution but continuity.

Own code, since importing scipy takes longer than all of this. Pure functions; tests have scipy and simulations as
witnesses, and `tests/bench/bench_coverage.py` measures how often intervals hold what they promise over a real server.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, fsum, hypot, log, sqrt
from statistics import NormalDist

from promptbench.stats.exact import binomial_at_most

CONFIDENCE = 0.95
_LEAST_FOR_DEVIATION = 10


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure between its bounds. A bound is None where there are too few observations to give one."""

    value: float
    low: float | None
    high: float | None


@lru_cache(maxsize=4096)
def rank_bounds(count: int, share: float, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """The ranks, from 1, of the two observations among `count` ordered ones that have the quantile between them.

    How many observations are below the quantile is binomial, whatever the distribution: the lower rank is the largest
    l with P(B ≤ l − 1) ≤ α/2, the upper the least u with P(B ≥ u) ≤ α/2, B ~ Bin(count, share), α = 1 − confidence
    (Conover 1999, Practical Nonparametric Statistics, 3.2; Hahn and Meeker 1991, Statistical Intervals, 5.2). Together
    they cover it with at least the confidence. None where no rank does: a p99 has an upper bound from 368 on.
    """
    each = (1.0 - confidence) / 2
    ranks = range(count)
    low = bisect_left(ranks, True, key=lambda rank: binomial_at_most(rank, count, share) > each)
    high = 1 + bisect_left(ranks, True, key=lambda rank: 1.0 - binomial_at_most(rank, count, share) <= each)
    return (low or None), (high if high <= count else None)


def quantile_interval(ordered: Sequence[float], value: float, share: float, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a quantile whose estimate from these sorted observations is `value`."""
    low, high = rank_bounds(len(ordered), share, confidence)
    return Interval(
        value,
        None if low is None else min(value, ordered[low - 1]),
        None if high is None else max(value, ordered[high - 1]),
    )


def ratio_interval(above: Interval, below: Interval) -> Interval | None:
    """The interval of a ratio of two independent figures, from the interval of each; None where a figure is not
    positive.

    The method of variance estimates recovery for a difference (Zou and Donner 2008, Statistics in Medicine 27:1693), of
    logarithms: L = d − √((a − l₁)² + (u₂ − b)²), U = d + √((u₁ − a)² + (b − l₂)²), d = a − b. So both intervals may be
    as lopsided as those of a p99 are.
    """
    if above.value <= 0 or below.value <= 0:
        return None
    difference = log(above.value / below.value)
    down = _distance(above.value, above.low, below.value, below.high)
    up = _distance(above.value, above.high, below.value, below.low)
    return Interval(
        above.value / below.value,
        None if down is None else exp(difference - down),
        None if up is None else exp(difference + up),
    )


def deviation_interval(values: Sequence[float], value: float, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a standard deviation, of distributions that need not be normal; None below ten values.

    Bonett 2006, Computational Statistics and Data Analysis 50:775: exp(ln(c s²) ± z c √((g − (n − 3)/n)/(n − 1))) for
    the variance, c = n/(n − z), g = n Σ(x − m)⁴ / (Σ(x − x̄)²)², m the mean without 1/(2√(n − 4)) of the values at each
    end. The chi-square interval supposes a normal distribution, which latencies never have. A spread that rests on a
    few stalls among thousands is known worse than any such interval says.
    """
    count = len(values)
    if count < _LEAST_FOR_DEVIATION:
        return Interval(value, None, None)
    ordered = sorted(values)
    mean = fsum(ordered) / count
    squares = fsum((item - mean) ** 2 for item in ordered)
    if squares == 0:
        return Interval(value, value, value)
    cut = int(count / (2 * sqrt(count - 4)))
    kept = ordered[cut : count - cut]
    middle = fsum(kept) / len(kept)
    kurtosis = count * fsum((item - middle) ** 4 for item in ordered) / squares**2
    z = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    factor = count / (count - z)
    error = factor * sqrt(max(0.0, kurtosis - (count - 3) / count) / (count - 1))
    centre = log(factor * squares / (count - 1))
    return Interval(value, exp((centre - z * error) / 2), exp((centre + z * error) / 2))


def _distance(value: float, bound: float | None, other: float, its: float | None) -> float | None:
    if bound is None or its is None or bound <= 0 or its <= 0:
        return None
    return hypot(log(value / bound), log(other / its))
