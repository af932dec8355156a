from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from promptbench.metrics.nlu import BINS, STEPS, Confidences

ITEMS = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans()), min_size=1, max_size=50)


def added(items: list[tuple[float, bool, bool]]) -> Confidences:
    found = Confidences()
    for confidence, right, in_scope in items:
        found.add(confidence, right=right, in_scope=in_scope)
    return found


def test_the_error_is_the_gap_between_what_is_said_and_what_is_so() -> None:
    # Ten answers at 0.9 of which 7 are right, ten at 0.3 of which 4 are: (10/20)·0.2 + (10/20)·0.1.
    items = [(0.9, n < 7, True) for n in range(10)] + [(0.3, n < 4, True) for n in range(10)]
    assert added(items).calibration_error() == pytest.approx(0.15)
    assert Confidences().calibration_error() is None


@given(ITEMS)
def test_bins_are_those_of_the_paper(items: list[tuple[float, bool, bool]]) -> None:
    """Each confidence c is in the bin with low < c ≤ high; 0 is in the first."""
    found = added(items)
    assert sum(one.count for one in found.bins()) == found.total == len(items)
    for one in found.bins():
        inside = [c for c, _, _ in items if one.low < c <= one.high or (c == 0 and one.low == 0)]
        # A bound such as 1/15 is not exact in binary.
        assert abs(one.count - len(inside)) <= sum(abs(c * BINS - round(c * BINS)) < 1e-9 for c, _, _ in items)
        assert one.low - 1e-9 <= one.confidence <= one.high + 1e-9


@given(st.lists(st.tuples(st.integers(0, STEPS), st.booleans(), st.booleans()), max_size=50))
def test_a_threshold_is_what_recounting_says(items: list[tuple[int, bool, bool]]) -> None:
    found = added([(step / STEPS, right, in_scope) for step, right, in_scope in items])
    rows = found.thresholds()
    assert rows[0].threshold == 0
    for row in rows:
        kept = [(right, in_scope) for step, right, in_scope in items if step >= round(row.threshold * STEPS)]
        rejected = [in_scope for step, _, in_scope in items if step < round(row.threshold * STEPS)]
        said_so = sum(right for step, right, in_scope in items if not in_scope and step < round(row.threshold * STEPS))
        inside = sum(in_scope for _, _, in_scope in items)
        outside = len(items) - inside
        right_out = sum(right for right, in_scope in kept if not in_scope) + rejected.count(False)
        assert row.in_scope == (sum(right for right, in_scope in kept if in_scope) / inside if inside else None)
        assert row.out_of_scope == (right_out / outside if outside else None)
        assert said_so <= rejected.count(False)
    # Every threshold at which something changes has a row.
    assert {row.threshold for row in rows} >= {
        (step + 1) / STEPS for step, right, in_scope in items if step < STEPS and right == in_scope
    }
