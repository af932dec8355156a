from __future__ import annotations

import random
from collections import Counter
from math import sqrt

import pytest

from promptbench.metrics.bootstrap import interval
from promptbench.metrics.nlu import accuracy, macro_f1


def share(counts: object) -> float:
    right, of = accuracy(counts)  # type: ignore[arg-type]
    return right / of


def test_the_interval_of_a_share_is_that_of_the_normal_approximation() -> None:
    found = interval({("a", "a"): 800, ("a", "b"): 200}, share)
    assert found is not None
    half = 1.96 * sqrt(0.8 * 0.2 / 1000)
    assert found == pytest.approx((0.8 - half, 0.8 + half), abs=0.004)


def test_it_is_that_of_resampling_the_items_one_by_one() -> None:
    """The table is enough: Efron's bootstrap over the items themselves comes to the same bounds."""
    draw = random.Random(5)
    items = [(label, label if draw.random() < 0.7 else draw.choice("abc")) for label in "aaaabbc" for _ in range(30)]
    resampled = sorted(macro_f1(Counter(draw.choices(items, k=len(items)))) for _ in range(1000))
    found = interval(Counter(items), macro_f1)
    assert found == pytest.approx((resampled[25], resampled[-26]), abs=0.015)


def test_the_same_counts_have_the_same_interval_in_any_order_of_time() -> None:
    counts = {("a", "a"): 5, ("b", "b"): 4, ("b", "a"): 2}
    assert interval(counts, macro_f1) == interval(dict(counts), macro_f1)
    assert interval(counts, macro_f1, seed=2) != interval(counts, macro_f1)


def test_nothing_has_no_interval_and_many_items_take_no_longer() -> None:
    assert interval({}, share) is None
    assert interval({("a", "a"): 0}, share) is None
    found = interval({("a", "a"): 9_000_000, ("a", "b"): 1_000_000}, share)
    assert found == pytest.approx((0.9, 0.9), abs=0.001)
