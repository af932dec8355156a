"""The power of a margin: the probability that it is kept if a candidate changes nothing.

Production and candidate pass every try at the same rate, and guards are independent. The result is exact except that
the mean difference is taken as normal, with expected values for its variance and the width of its bound, that the
spread is left out, and that doubts and the mean are taken as independent, which they are not: a guard that fails
affects both.
`tests/gate/test_margin_power.py` compares it with simulated runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import comb, sqrt
from statistics import NormalDist

from promptbench.gate.margin import MIN_GUARDS
from promptbench.gate.policy import LEVEL
from promptbench.gate.trial import CONFIRM, DOUBT, RETEST, UNSTABLE
from promptbench.stats.beta import student_quantile
from promptbench.stats.exact import fisher_greater, guards_needed

# The pass rate of production's guards without a calibration.
ASSUMED_RATE = 0.98
# The share of runs in which a harmless change should keep the margin.
TARGET_POWER = 0.93
_MAX_GUARDS = 100_000


@dataclass(frozen=True, slots=True)
class _Guard:
    """A case that production passes in most of its first tries; both prompts pass at one rate.

    `unsteady` is the probability that it is called broken or unstable; `mean` and `variance` are those of the
    difference in shares of passes, candidate less production, over the first tries.
    """

    unsteady: float
    mean: float
    variance: float


@lru_cache(maxsize=256)
def _guard(repeats: int, rate: float) -> _Guard:
    # Sums over the passes of both prompts in the screen, in the retest and in the confirmation.
    first, later, last = binomial(repeats, rate), binomial(RETEST, rate), binomial(CONFIRM, rate)
    screened = {k: p for k, p in enumerate(first) if 2 * (repeats - k) < repeats}
    share, total = sum(screened.values()), repeats + RETEST
    theirs, ours = [0.0] * (total + 1), [0.0] * (total + 1)
    for (k, p), (extra, q) in product(screened.items(), enumerate(later)):
        theirs[k + extra] += p / share * q
    for (k, p), (extra, q) in product(enumerate(first[:-1]), enumerate(later)):
        ours[k + extra] += p * q
    doubtful = _chance(theirs, ours, DOUBT)
    mean = sum(k * p for k, p in screened.items()) / share / repeats
    spread = sum((k / repeats - mean) ** 2 * p for k, p in screened.items()) / share
    return _Guard(doubtful * _chance(last, last, UNSTABLE), rate - mean, spread + rate * (1 - rate) / repeats)


def _chance(theirs: Sequence[float], ours: Sequence[float], level: float) -> float:
    # That Fisher's p for fewer passes of ours is at most the level.
    total = len(ours) - 1
    pairs = product(enumerate(theirs), enumerate(ours))
    return sum(p * q for (a, p), (b, q) in pairs if b < a and p * q and fisher_greater(a, total, b, total) <= level)


@lru_cache(maxsize=256)
def binomial(tries: int, rate: float) -> list[float]:
    """Return the probability of each number of passes."""
    return [comb(tries, k) * rate**k * (1 - rate) ** (tries - k) for k in range(tries + 1)]


def power_to_keep(guards: int, margin: float, repeats: int, rate: float) -> float:
    """Return the probability that this many guards keep a margin and none is in doubt; 0.0 for too few."""
    if guards < max(MIN_GUARDS, guards_needed(margin)):
        return 0.0
    guard = _guard(repeats, rate)
    return (1 - guard.unsteady) ** guards * _mean_above(guards, margin, guard)


def _mean_above(guards: int, margin: float, guard: _Guard) -> float:
    # The probability that the plus-two lower bound of the mean difference (`stats.paired`) lies above −margin.
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
    """Return how many guards keep a margin with `TARGET_POWER` if nothing changed; None if 100,000 are not enough."""
    low, high = 0, 64
    while power_to_keep(high, margin, repeats, rate) < TARGET_POWER:
        low, high = high, high * 2
        if high > _MAX_GUARDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if power_to_keep(middle, margin, repeats, rate) < TARGET_POWER:
            low = middle
        else:
            high = middle
    return high
