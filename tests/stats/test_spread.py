"""The exact test for a loss spread over many cases, beside enumeration and scipy."""

from __future__ import annotations

import itertools
import random
from math import comb

import pytest
from hypothesis import given, strategies as st
from scipy import stats

from promptbench.stats.exact import fisher_greater
from promptbench.stats.spread import Stratum, combined_p, spread_p


def enumerated(cases: list[Stratum]) -> float:
    """The same by going through all outcomes that the margins and the selection allow."""
    choices, observed = [], sum(case[3] for case in cases)
    for tries_a, tries_b, a, b, least in cases:
        total = a + b
        ways = {
            k: comb(tries_b, k) * comb(tries_a, total - k)
            for k in range(max(0, total - tries_a), min(tries_b, total - least) + 1)
        }
        choices.append({k: way / sum(ways.values()) for k, way in ways.items()})
    p = 0.0
    for outcome in itertools.product(*(choice.items() for choice in choices)):
        chance = 1.0
        for _, each in outcome:
            chance *= each
        p += chance * (sum(k for k, _ in outcome) <= observed)
    return p


@st.composite
def strata(draw: st.DrawFn) -> Stratum:
    tries_a, tries_b = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    least = draw(st.integers(0, tries_a))
    return tries_a, tries_b, draw(st.integers(least, tries_a)), draw(st.integers(0, tries_b)), least


@given(st.lists(strata(), max_size=4))
def test_as_by_enumeration(cases: list[Stratum]) -> None:
    assert spread_p(cases) == pytest.approx(enumerated(cases), abs=1e-12)


@pytest.mark.parametrize(("a", "b"), [(12, 8), (3, 3), (10, 0), (5, 9)])
def test_one_case_is_fishers_test(a: int, b: int) -> None:
    assert spread_p([(12, 12, a, b, 0)]) == pytest.approx(fisher_greater(a, 12, b, 12))
    table = [[a, 12 - a], [b, 12 - b]]
    assert spread_p([(12, 12, a, b, 0)]) == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)


def test_cases_that_cannot_differ_say_nothing() -> None:
    cases = [(3, 3, 3, 3, 2), (3, 3, 0, 0, 0)] * 50
    assert spread_p(cases) == 1.0
    assert spread_p([*cases, (12, 12, 12, 8, 0)]) == spread_p([(12, 12, 12, 8, 0)])
    assert spread_p([]) == 1.0


def test_the_selection_does_not_pass_for_a_loss() -> None:
    """Cases were selected because A passed most of its tries; by the truncated test nothing is lost."""
    dice, small, naive = random.Random(5), 0, 0
    for _ in range(300):
        drawn = [[sum(dice.random() < 0.7 for _ in range(3)) for _ in range(2)] for _ in range(60)]
        kept = [(a, b) for a, b in drawn if a >= 2]
        small += spread_p((3, 3, a, b, 2) for a, b in kept) <= 0.05
        naive += spread_p((3, 3, a, b, 0) for a, b in kept) <= 0.05
    assert small <= 300 * 0.05 + 4 * (300 * 0.05 * 0.95) ** 0.5
    assert naive > 100


def test_many_cases_take_no_time_and_lose_no_mass() -> None:
    cases = [(12, 12, 11, 11, 0), (12, 12, 12, 11, 0), (12, 12, 10, 12, 0)] * 3_000
    assert 0.999 < spread_p(cases) + spread_p((t, u, b, a, z) for t, u, a, b, z in cases) < 1.1


@given(st.floats(1e-9, 1), st.floats(1e-9, 1))
def test_two_together_are_fishers_combination(first: float, second: float) -> None:
    expected = stats.combine_pvalues([first, second], method="fisher").pvalue
    assert combined_p(first, second) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert combined_p(0.0, second) == 0.0
