"""An exact test for a loss that is spread thinly over many cases."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import comb, log

_NEGLIGIBLE = 1e-16
# Probabilities below this are cut from both ends of a distribution; without it 10,000 cases take minutes.

Stratum = tuple[int, int, int, int, int]
# Tries of A, tries of B, passes of A, passes of B, and the fewest passes of A by which a case is in the sample at all.


def spread_p(cases: Iterable[Stratum]) -> float:
    """Return the one-sided p that B passes less often than A somewhere among the cases.

    The test is conditional on each case's passes of both together: if A and B pass a case equally often, the passes of
    B follow the hypergeometric distribution (Fisher 1935), and their sum over independent cases its convolution, which
    is the exact conditional test of stratified 2 × 2 tables (Birch 1964, Journal of the Royal Statistical Society B
    26:313). Where cases were selected by the passes of A (`least`), the distribution is truncated to what the selection
    lets through, so that the selection cannot pass for a loss.

    Args:
        cases: tries of A and B, passes of A and B, and `least`: the fewest passes of A with which a case is included.
    """
    observed = 0
    strata: Counter[tuple[int, int, int, int]] = Counter()
    for tries_a, tries_b, passes_a, passes_b, least in cases:
        passes = passes_a + passes_b
        if passes in (0, tries_a + tries_b):
            continue
        observed += passes_b
        strata[tries_a, tries_b, passes, least] += 1
    start, chances = 0, [1.0]
    for (tries_a, tries_b, passes, least), count in sorted(strata.items()):
        low, ways = _null(tries_a, tries_b, passes, least)
        start, chances = _added((start, chances), _power((low, list(ways)), count))
    return min(1.0, sum(chances[: max(0, observed - start + 1)]))


def combined_p(first: float, second: float) -> float:
    """Return the p of two independent tests together: Fisher's combination, c (1 − ln c) with c = p₁ p₂."""
    product = first * second
    return product * (1.0 - log(product)) if product > 0 else 0.0


@lru_cache(maxsize=4096)
def _null(tries_a: int, tries_b: int, passes: int, least: int) -> tuple[int, tuple[float, ...]]:
    """Return the fewest passes of B, and the probability of each number from there on."""
    low, high = max(0, passes - tries_a), min(tries_b, passes - least)
    ways = [comb(tries_b, k) * comb(tries_a, passes - k) for k in range(low, high + 1)]
    total = sum(ways)
    return low, tuple(way / total for way in ways)


_Distribution = tuple[int, list[float]]


def _power(one: _Distribution, count: int) -> _Distribution:
    """Return the distribution of the sum of `count` independent draws, by repeated squaring."""
    result: _Distribution = (0, [1.0])
    while count:
        if count & 1:
            result = _added(result, one)
        count >>= 1
        if count:
            one = _added(one, one)
    return result


def _added(one: _Distribution, other: _Distribution) -> _Distribution:
    (start_a, a), (start_b, b) = one, other
    if len(a) < len(b):
        a, b = b, a
    chances = [0.0] * (len(a) + len(b) - 1)
    for i, p in enumerate(b):
        for j, q in enumerate(a, i):
            chances[j] += p * q
    return _trimmed(start_a + start_b, chances)


def _trimmed(start: int, chances: Sequence[float]) -> _Distribution:
    low, high = 0, len(chances)
    while high - low > 1 and chances[low] < _NEGLIGIBLE:
        low += 1
    while high - low > 1 and chances[high - 1] < _NEGLIGIBLE:
        high -= 1
    return start + low, list(chances[low:high])
