"""Exact tests and bounds on counts. Pure functions; probabilities in [0, 1]."""

from __future__ import annotations

from bisect import bisect_left
from math import comb, log

from promptbench.stats.beta import binomial_at_most


def fisher_greater(passed_a: int, total_a: int, passed_b: int, total_b: int) -> float:
    """Return the one-sided p of Fisher's exact test that group A passes more often than group B.

    The hypergeometric probability of at least `passed_a` passes in A, given all margins (Fisher 1935).
    """
    total, passed = total_a + total_b, passed_a + passed_b
    ways = comb(total, passed)
    most = min(total_a, passed)
    return sum(comb(total_a, k) * comb(total_b, passed - k) for k in range(passed_a, most + 1)) / ways


def mcnemar_mid_p(better: int, worse: int) -> float:
    """Return the two-sided mid-p of McNemar's test on the discordant pairs; 1.0 if there are none.

    Exact binomial(n, 1/2) with half the probability of the observed split (Fagerland, Lydersen and Laake 2013,
    BMC Medical Research Methodology 13:91).
    """
    n = better + worse
    if n == 0:
        return 1.0
    small = min(better, worse)
    splits = 1 << n
    ways = tail = 1
    for k in range(small):
        ways = ways * (n - k) // (k + 1)
        tail += ways
    if better == worse:
        return 1.0 - ways / splits / 2
    return min(1.0, (2 * tail - ways) / splits)


def excluded_rate(clean: int, confidence: float = 0.95) -> float:
    """Return the break rate that `clean` unbroken guards exclude: δ where (1 − δ)ⁿ = 1 − confidence; 1.0 for none.

    The one-sided Clopper-Pearson bound for zero events, of which 3/n is the well-known approximation.
    """
    return 1.0 if clean <= 0 else 1.0 - (1.0 - confidence) ** (1.0 / clean)


def guards_needed(rate: float, confidence: float = 0.95, broken: int = 0) -> int:
    """Return how many guards exclude a break rate above `rate` if `broken` of them are broken.

    The least n whose one-sided Clopper-Pearson bound is not above it; for none broken the least n with
    (1 − rate)ⁿ ≤ 1 − confidence. Rate and confidence are in (0, 1).
    """
    if broken == 0:
        n = max(1, int(log(1.0 - confidence) / log(1.0 - rate)))
        while excluded_rate(n, confidence) > rate:
            n += 1
        return n
    enough = broken + 1
    while binomial_at_most(broken, enough, rate) > 1.0 - confidence:
        enough *= 2
    # More guards make it ever less likely that so few break.
    return bisect_left(range(enough), True, key=lambda n: binomial_at_most(broken, n, rate) <= 1.0 - confidence)
