"""How likely a margin is kept where a candidate changes nothing, by the number of guards and repeats.

Production and the candidate pass every try with the same rate, guards are independent. What follows is exact but for
one step: the mean difference is taken as normal. Its variance and the bound's width are by their expected values, and
the two bounds of a margin as if they were independent, which makes the answer a little too small: a guard that fails
pulls both. `tests/gate/test_odds.py` holds it against runs that are drawn.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import comb, sqrt
from statistics import NormalDist

from promptbench.gate.flips import is_break, is_stable
from promptbench.gate.margin import FEWEST
from promptbench.gate.policy import LEVEL, TRIES
from promptbench.stats.beta import binomial_at_most, student_quantile
from promptbench.stats.exact import guards_needed

ASSUMED_RATE = 0.98
"""How often production is taken to pass its guards where no calibration says better."""
WISHED = 0.93
"""In how many runs a harmless change should keep the margin."""
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class _Guard:
    """A case that production passes in most of its first tries, with either prompt at one rate.

    `mean` and `variance` are those of the candidate's share of passes less production's over the first tries.
    """

    broken: float
    unstable: float
    mean: float
    variance: float


@lru_cache(maxsize=256)
def _guard(repeats: int, rate: float) -> _Guard:
    """By summing over all passes of the first tries and of the later ones, of both prompts."""
    first, later = _binomial(repeats, rate), _binomial(TRIES, rate)
    screened = {k: p for k, p in enumerate(first) if 2 * (repeats - k) < repeats}
    share = sum(screened.values())
    theirs = [0.0] * (repeats + TRIES + 1)
    ours = [0.0] * (repeats + TRIES + 1)
    for (k, p), (extra, q) in product(screened.items(), enumerate(later)):
        theirs[k + extra] += p / share * q
    for (k, p), (extra, q) in product(enumerate(first[:-1]), enumerate(later)):
        ours[k + extra] += p * q
    total = repeats + TRIES
    broken = unstable = 0.0
    for (a, p), (b, q) in product(enumerate(theirs), enumerate(ours)):
        if b >= a or is_stable(b, total):
            continue
        if is_break(a, total, b, total):
            broken += p * q
        else:
            unstable += p * q
    mean = sum(k * p for k, p in screened.items()) / share / repeats
    spread = sum((k / repeats - mean) ** 2 * p for k, p in screened.items()) / share
    return _Guard(broken, unstable, rate - mean, spread + rate * (1 - rate) / repeats)


def _binomial(tries: int, rate: float) -> list[float]:
    return [comb(tries, k) * rate**k * (1 - rate) ** (tries - k) for k in range(tries + 1)]


def odds_to_keep(guards: int, margin: float, repeats: int, rate: float) -> float:
    """The probability that so many guards keep a margin, and none is called broken; 0.0 where there are too few."""
    if guards < max(FEWEST, guards_needed(margin)):
        return 0.0
    guard = _guard(repeats, rate)
    # The more of them do not hold, the less is excluded.
    bearable = bisect_left(range(guards), True, key=lambda n: binomial_at_most(n, guards, margin) > LEVEL) - 1
    held = binomial_at_most(bearable, guards, guard.unstable) if guard.unstable else 1.0
    return held * (1 - guard.broken) ** guards * _mean_above(guards, margin, guard)


def _mean_above(guards: int, margin: float, guard: _Guard) -> float:
    """That the plus-two lower bound of the mean difference (`stats.paired`) lies above −margin."""
    weight = guards + 2
    mean = guards * guard.mean / weight
    squares = guards * (guard.variance + guard.mean**2)
    width = student_quantile(1 - LEVEL, guards - 1) * sqrt(((squares + 2) / weight - mean * mean) / weight)
    deviation = sqrt(guards * guard.variance) / weight
    needed = width - margin
    if deviation == 0:
        return float(mean > needed)
    return NormalDist().cdf((mean - needed) / deviation)


def guards_to_keep(margin: float, repeats: int, rate: float) -> int | None:
    """How many guards keep a margin in `WISHED` of runs in which nothing changed; None where 100,000 do not."""
    low, high = 0, 64
    while odds_to_keep(high, margin, repeats, rate) < WISHED:
        low, high = high, high * 2
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if odds_to_keep(middle, margin, repeats, rate) < WISHED:
            low = middle
        else:
            high = middle
    return high
