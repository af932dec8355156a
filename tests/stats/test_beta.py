from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings, strategies as st
from scipy import special, stats

from promptbench.stats.exact import (
    binomial_at_most,
    clopper_pearson,
    clopper_pearson_upper,
    incomplete_beta,
    student_above,
    student_quantile,
)

NEAR = 1e-9


@settings(deadline=None, max_examples=200)
@given(st.floats(-1, 4), st.floats(-1, 4), st.randoms(use_true_random=False))
def test_incomplete_beta_is_scipys(log_a: float, log_b: float, chance: random.Random) -> None:
    a, b = 10**log_a, 10**log_b
    x = chance.betavariate(a, b)
    assert incomplete_beta(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=NEAR, abs=1e-15)


@pytest.mark.parametrize("x", [-1.0, 0.0, 1e-320, 1.0, 2.0, math.inf])
def test_at_the_ends(x: float) -> None:
    assert incomplete_beta(3, 4, x) == pytest.approx(float(x >= 1))


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 300), st.integers(1, 300), st.floats(0.0, 1.0))
def test_binomial_is_scipys(events: int, total: int, rate: float) -> None:
    assert binomial_at_most(events, total, rate) == pytest.approx(
        stats.binom.cdf(events, total, rate), rel=1e-8, abs=1e-14
    )


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 300), st.integers(1, 3_000), st.floats(0.5, 0.999))
def test_the_bound_is_scipys_clopper_pearson(events: int, total: int, confidence: float) -> None:
    events = min(events, total)
    bound = stats.binomtest(events, total, alternative="less").proportion_ci(confidence, method="exact").high
    assert clopper_pearson_upper(events, total, confidence) == pytest.approx(bound, rel=NEAR)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 64), st.integers(1, 64), st.floats(0.5, 0.999))
def test_the_interval_is_scipys(events: int, total: int, confidence: float) -> None:
    events = min(events, total)
    found = stats.binomtest(events, total).proportion_ci(confidence, method="exact")
    assert clopper_pearson(events, total, confidence) == pytest.approx((found.low, found.high), rel=1e-7, abs=1e-12)


def test_of_nothing_nothing_is_known() -> None:
    assert clopper_pearson_upper(0, 0) == 1.0
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 20_000), st.floats(0.5, 0.99999))
def test_the_quantile_is_scipys(degrees: int, confidence: float) -> None:
    assert student_quantile(confidence, degrees) == pytest.approx(stats.t.ppf(confidence, degrees), rel=NEAR, abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 20_000), st.floats(-40, 40))
def test_the_tail_is_scipys(degrees: int, t: float) -> None:
    assert student_above(t, degrees) == pytest.approx(stats.t.sf(t, degrees), rel=1e-8, abs=1e-15)


@pytest.mark.parametrize(("degrees", "t"), [(1, 6.313752), (9, 1.833113), (58, 1.671553), (99, 1.660391)])
def test_quantiles_of_the_tables(degrees: int, t: float) -> None:
    assert student_quantile(0.95, degrees) == pytest.approx(t, abs=5e-7)
