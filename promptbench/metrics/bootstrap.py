"""Confidence intervals for measures of counts without a formula, by resampling the counts."""

import random
from collections.abc import Callable, Hashable, Mapping
from itertools import accumulate
from math import exp, lgamma, log, sqrt
from typing import TypeVar

RESAMPLES = 1000
_Cell = TypeVar("_Cell", bound=Hashable)


def interval(
    counts: Mapping[_Cell, int],
    measure: Callable[[Mapping[_Cell, int]], float],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 1,
) -> tuple[float, float] | None:
    """Return the percentile interval of a measure of counts (Efron 1979, Annals of Statistics 7:1–26), None if empty.

    It is the Poisson bootstrap (Hanley and MacGibbon 2006, Computer Methods and Programs in Biomedicine 83:57–62): each
    item enters a resample Poisson(1) times, so a cell of the table with n items has Poisson(n). Its time grows with the
    cells, not with the items. The same counts and seed give the same interval.
    """
    cells = [cell for cell, count in counts.items() if count > 0]
    if not cells:
        return None
    draw = random.Random(seed)
    drawn = [_poisson(counts[cell], resamples, draw) for cell in cells]
    found = sorted(measure(dict(zip(cells, sample, strict=True))) for sample in zip(*drawn, strict=True) if any(sample))
    if not found:
        return None
    tail = (1.0 - level) / 2
    return found[int(tail * (len(found) - 1))], found[-1 - int(tail * (len(found) - 1))]


def _poisson(mean: int, size: int, draw: random.Random) -> list[int]:
    # Drawn from the table of probabilities, up to ten standard deviations from the mean.
    reach = 10 * sqrt(mean) + 20
    values = range(max(0, int(mean - reach)), int(mean + reach) + 1)
    chances = accumulate(exp(value * log(mean) - mean - lgamma(value + 1)) for value in values)
    return draw.choices(values, cum_weights=list(chances), k=size)
