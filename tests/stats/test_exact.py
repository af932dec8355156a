from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from promptbench.stats.exact import excluded_rate, fisher_greater, guards_needed, mcnemar_mid_p

_counts = st.integers(0, 40)


@settings(deadline=None)
@given(_counts, _counts, _counts, _counts)
def test_fisher_is_scipys(passed_a: int, failed_a: int, passed_b: int, failed_b: int) -> None:
    mine = fisher_greater(passed_a, passed_a + failed_a, passed_b, passed_b + failed_b)
    theirs = stats.fisher_exact([[passed_a, failed_a], [passed_b, failed_b]], alternative="greater").pvalue
    assert mine == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    ("table", "p"),
    [
        ((8, 8, 4, 8), 0.0385),
        ((7, 8, 4, 8), 0.1410),
        ((7, 8, 3, 8), 0.0594),
        ((7, 8, 2, 8), 0.0203),
        ((11, 11, 5, 11), 0.0062),
        ((9, 11, 3, 11), 0.0150),
        ((3, 3, 0, 3), 0.05),
        ((0, 0, 0, 0), 1.0),
        ((0, 5, 5, 5), 1.0),
    ],
)
def test_fisher_by_hand(table: tuple[int, int, int, int], p: float) -> None:
    assert fisher_greater(*table) == pytest.approx(p, abs=5e-5)


@settings(deadline=None)
@given(_counts, _counts)
def test_mcnemar_mid_p_is_the_exact_one_less_half_the_observed(better: int, worse: int) -> None:
    n, small = better + worse, min(better, worse)
    if n == 0:
        expected = 1.0
    else:
        # Fagerland, Lydersen and Laake 2013, formula 6, over scipy's binomial distribution.
        law = stats.binom(n, 0.5)
        expected = 1 - law.pmf(small) / 2 if better == worse else 2 * law.cdf(small) - law.pmf(small)
    assert mcnemar_mid_p(better, worse) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_mid_p(better, worse) == mcnemar_mid_p(worse, better)


def test_mcnemar_by_hand() -> None:
    assert mcnemar_mid_p(0, 0) == 1.0
    assert mcnemar_mid_p(1, 0) == 0.5
    assert mcnemar_mid_p(6, 0) == 2 * 0.5**6 - 0.5**6
    assert mcnemar_mid_p(5_000, 4_000) < 1e-20


@pytest.mark.parametrize(("clean", "percent"), [(9, 28), (29, 10), (59, 5), (1, 95), (299, 1)])
def test_the_figures_of_the_design(clean: int, percent: int) -> None:
    assert round(100 * excluded_rate(clean)) == percent


@settings(deadline=None)
@given(st.integers(1, 2_000), st.floats(0.5, 0.999))
def test_excluded_rate_is_clopper_pearsons_bound(clean: int, confidence: float) -> None:
    bound = stats.binomtest(0, clean, alternative="less").proportion_ci(confidence, method="exact").high
    assert excluded_rate(clean, confidence) == pytest.approx(bound, rel=1e-9)


def test_no_guard_excludes_nothing() -> None:
    assert excluded_rate(0) == 1.0


@pytest.mark.parametrize(("rate", "n"), [(0.10, 29), (0.05, 59), (0.02, 149), (0.01, 299), (0.95, 1), (0.999, 1)])
def test_guards_needed(rate: float, n: int) -> None:
    assert guards_needed(rate) == n


@settings(deadline=None)
@given(st.floats(0.001, 0.99), st.floats(0.5, 0.999))
def test_one_guard_less_is_not_enough(rate: float, confidence: float) -> None:
    n = guards_needed(rate, confidence)
    assert excluded_rate(n, confidence) <= rate
    assert n == 1 or excluded_rate(n - 1, confidence) > rate * (1 - 1e-12)


def test_a_proportion_is_covered() -> None:
    # What the sentence promises: a prompt that breaks more than the excluded rate passes clean in at most 5 %.
    for clean, factor in itertools.product((9, 29, 59), (1.0, 1.1, 2.0)):
        rate = min(1.0, excluded_rate(clean) * factor)
        assert (1 - rate) ** clean <= 0.05 + 1e-12


@pytest.mark.parametrize(("broken", "n"), [(0, 59), (1, 93), (2, 124)])
def test_guards_needed_with_breaks(broken: int, n: int) -> None:
    assert guards_needed(0.05, broken=broken) == n


@settings(deadline=None)
@given(st.floats(0.01, 0.9), st.floats(0.5, 0.999), st.integers(0, 20))
def test_with_breaks_too_one_guard_less_is_not_enough(rate: float, confidence: float, broken: int) -> None:
    n = guards_needed(rate, confidence, broken)
    assert stats.binom.cdf(broken, n, rate) <= (1 - confidence) * (1 + 1e-9)
    assert n == broken + 1 or stats.binom.cdf(broken, n - 1, rate) > (1 - confidence) * (1 - 1e-9)
