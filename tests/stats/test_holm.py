from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from scipy import stats

from promptbench.stats.exact import holm_levels, simes


@pytest.mark.parametrize(
    ("p_values", "levels"),
    [
        ([], []),
        ([0.04], [0.05]),
        # Holm's own way: 0.01 against 0.05/3, 0.02 against 0.05/2, 0.04 against 0.05.
        ([0.04, 0.01, 0.02], [0.05, 0.05 / 3, 0.025]),
        # The second is above its level, so the third is held to the same.
        ([0.04, 0.01, 0.03], [0.025, 0.05 / 3, 0.025]),
        ([1.0, 1.0, 0.02], [0.05 / 3, 0.05 / 3, 0.05 / 3]),
    ],
)
def test_by_hand(p_values: list[float], levels: list[float]) -> None:
    assert holm_levels(p_values) == pytest.approx(levels)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_is_the_procedure_by_adjusted_p_values(p_values: list[float]) -> None:
    """p is accepted where max over j ≤ k of (m − j) p_(j) is at most the level; away from ties to the last digit."""
    accepted = {index for index, level in enumerate(holm_levels(p_values)) if p_values[index] <= level}
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = 0.0
    for place, index in enumerate(order):
        adjusted = max(adjusted, (len(order) - place) * p_values[index])
        if abs(adjusted - 0.05) > 1e-12:
            assert (index in accepted) == (adjusted < 0.05)


@pytest.mark.parametrize(
    ("p_values", "p"),
    [([], 1.0), ([0.04], 0.04), ([0.9, 0.01], 0.02), ([0.03, 0.03], 0.03), ([0.9, 0.8, 1.0], 1.0)],
)
def test_simes_by_hand(p_values: list[float], p: float) -> None:
    assert simes(p_values) == pytest.approx(p)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_simes_is_scipys_smallest_adjusted_p(p_values: list[float]) -> None:
    """Benjamini and Hochberg's smallest adjusted p is Simes'."""
    assert simes(p_values) == pytest.approx(min(stats.false_discovery_control(p_values)))
