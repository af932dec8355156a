from __future__ import annotations

import math

import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from promptbench.stats.paired import Paired

_thirds = st.lists(st.integers(-3, 3).map(lambda k: k / 3), min_size=2, max_size=200)


@settings(deadline=None)
@given(_thirds, st.sampled_from([0.95, 1 - 0.05 / 3]))
def test_the_bound_is_the_formula(differences: list[float], confidence: float) -> None:
    n = len(differences)
    w = n + 2
    m = sum(differences) / w
    v = (sum(d * d for d in differences) + 2) / w - m**2
    bound = m - stats.t.ppf(confidence, n - 1) * math.sqrt(v / w)
    assert Paired.of(differences).lower(confidence) == pytest.approx(bound, rel=1e-9, abs=1e-12)


def test_of_whole_differences_it_is_bonett_and_prices() -> None:
    """9 went up, 2 down, of 40: with z for t their interval, which uses the counts (f12 + 1) / (n + 2)."""
    pairs = Paired.of([1.0] * 9 + [-1.0] * 2 + [0.0] * 29)
    up, down = 10 / 42, 3 / 42
    error = math.sqrt((up + down - (up - down) ** 2) / 42)
    assert pairs.lower(0.95) == pytest.approx(up - down - stats.t.ppf(0.95, 39) * error)


@settings(deadline=None)
@given(_thirds, st.floats(-0.5, 0.3))
def test_p_and_bound_say_the_same(differences: list[float], bound: float) -> None:
    pairs = Paired.of(differences)
    p = pairs.p_above(bound)
    if 1e-6 < p < 0.499:
        assert pairs.lower(1 - p) == pytest.approx(bound, abs=1e-9)
    assert (p <= 0.05) == (pairs.lower(0.95) >= bound) or abs(p - 0.05) < 1e-9


def test_nothing_different_has_a_width() -> None:
    assert -0.039 < Paired.of([0.0] * 59).lower() < -0.038
    assert Paired.of([0.0] * 10).lower() < -0.15


def test_of_fewer_than_two_nothing_is_known() -> None:
    for pairs in (Paired.of([]), Paired.of([1.0])):
        assert pairs.lower() == -1.0
        assert pairs.p_above(-0.5) == 1.0
    assert Paired.of([]).mean == 0.0


def test_more_of_the_same_kind() -> None:
    assert Paired.of([0.0, 1.0, -1.0, 0.5]).times(3) == Paired.of([0.0, 1.0, -1.0, 0.5] * 3)
