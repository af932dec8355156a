"""Exact tests and bounds on counts, and tests of several claims at once. Pure; probabilities in [0, 1]."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import comb, exp, lgamma, log, log1p

# Not from scipy, because importing it takes longer than judging a run. A test shows that these agree with scipy to a
# relative 1e-9 for parameters up to 10^4.
_MOST_STEPS = 10_000
_EPSILON = 1e-16
_TINY = 1e-300


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return I_x(a, b): the probability that a Beta(a, b) variable is at most `x`; a and b are positive.

    By the continued fraction 8.17.22 of the Digital Library of Mathematical Functions, which converges fast below
    (a + 1) / (a + b + 2); above it by the reflection I_x(a, b) = 1 − I_{1−x}(b, a), 8.17.4.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _fraction(b, a, 1.0 - x)
    return _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    # Lentz's method: c and d are the ratios of successive numerators and denominators.
    front = a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b) - log(a)
    c, d = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        step = 1.0
        for term in (even, odd):
            d = 1.0 / _not_zero(1.0 + term * d)
            c = _not_zero(1.0 + term / c)
            step *= c * d
        value *= step
        if abs(step - 1.0) <= _EPSILON:
            break
    return exp(front) * value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def binomial_at_most(events: int, total: int, rate: float) -> float:
    """Return P(X ≤ events) of a binomial X of `total` tries at `rate`.

    I_{1−rate}(total − events, events + 1), DLMF 8.17.5.
    """
    if events >= total:
        return 1.0
    return incomplete_beta(total - events, events + 1, 1.0 - rate)


def clopper_pearson_upper(events: int, total: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided upper bound on a share of which `events` of `total` were seen.

    It is the rate at which so few events have a probability of 1 − confidence (Clopper and Pearson 1934, Biometrika
    26:404). 1.0 if all are events, or `total` is 0.
    """
    if events >= total:
        return 1.0
    return _falling_to(1.0 - confidence, lambda rate: binomial_at_most(events, total, rate), 0.0, 1.0)


@lru_cache(maxsize=4096)
def clopper_pearson(events: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a share of which `events` of `total` were seen.

    The two one-sided bounds, each at half of 1 − confidence (Clopper and Pearson 1934). 0.0 to 1.0 if `total` is 0.
    """
    if not total:
        return 0.0, 1.0
    each = 1.0 - (1.0 - confidence) / 2
    low = 1.0 - clopper_pearson_upper(total - events, total, each)
    return low, clopper_pearson_upper(events, total, each)


def student_above(t: float, degrees: float) -> float:
    """Return P(T > t) of Student's t with `degrees` of freedom ν.

    ½ I_{ν/(ν+t²)}(ν/2, ½) for t ≥ 0 (Abramowitz and Stegun 26.5.27).
    """
    square = t * t
    if square < degrees:
        # The same from the other end, because ν/(ν+t²) is too close to 1.
        tail = 0.5 - 0.5 * incomplete_beta(0.5, degrees / 2, square / (degrees + square))
    else:
        tail = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + square))
    return tail if t >= 0 else 1.0 - tail


@lru_cache(maxsize=1024)
def student_quantile(confidence: float, degrees: float) -> float:
    """Return the t that a Student variable exceeds with a probability of 1 − confidence; confidence is in [0.5, 1)."""
    high = 1.0
    while student_above(high, degrees) > 1.0 - confidence:
        high *= 2
    return _falling_to(1.0 - confidence, lambda t: student_above(t, degrees), 0.0, high)


def _falling_to(target: float, falling: Callable[[float], float], low: float, high: float) -> float:
    # Bisection until the interval holds no other float.
    while low < (middle := (low + high) / 2) < high:
        if falling(middle) > target:
            low = middle
        else:
            high = middle
    return high


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


def simes(p_values: Sequence[float]) -> float:
    """Return the p of the claim that any of independent null hypotheses is false: the least m p₍ₖ₎ / k over the ordered
    p (Simes 1986, Biometrika 73:751). 1.0 for none.
    """
    count = len(p_values)
    return min((count * p / rank for rank, p in enumerate(sorted(p_values), 1)), default=1.0)


def holm_levels(p_values: Sequence[float], level: float = 0.05) -> list[float]:
    """Return, for each p, the level that it must not exceed, so that any false claim is accepted with a probability of
    at most `level`, whatever the dependence (Holm 1979, Scandinavian Journal of Statistics 6:65).

    The smallest of m gets level / m, the next one level / (m − 1), and so on until one is above its level; those after
    it get the same, so that they are above it too.
    """
    left = len(p_values)
    levels = [level] * left
    accepted = True
    for index in sorted(range(len(p_values)), key=p_values.__getitem__):
        levels[index] = level / left
        accepted = accepted and p_values[index] <= levels[index]
        left -= accepted
    return levels
