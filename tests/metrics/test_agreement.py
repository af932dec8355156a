from __future__ import annotations

import math
import statistics
from itertools import product
from math import exp, lgamma, log

import pytest
from hypothesis import given, strategies as st

from promptbench.metrics.agreement import Confusion, kappa_and_error, point_biserial

counts = st.integers(0, 200)


def test_the_example_of_fleiss() -> None:
    # Fleiss, Levin and Paik: Statistical Methods for Rates and Proportions, 3rd edition, table 18.1: psychosis,
    # neurosis and organic disorder, 100 patients; kappa 0.68 with a standard error of 0.087.
    value, error = kappa_and_error((75, 1, 4), (5, 4, 1), (0, 0, 10))
    assert value == pytest.approx(0.676, abs=0.0005)
    assert error == pytest.approx(0.0877, abs=0.00005)


def test_two_kinds_by_hand() -> None:
    # po = 0.7, pe = 0.5 · 0.6 + 0.5 · 0.4 = 0.5.
    kappa = Confusion(20, 5, 10, 15).kappa()
    assert kappa is not None
    assert kappa.value == pytest.approx(0.4)


def test_statsmodels_says_the_same() -> None:
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    found = inter_rater.cohens_kappa([[20, 5], [10, 15]])
    assert kappa_and_error((20, 5), (10, 15)) == pytest.approx((found.kappa, found.std_kappa))


@given(counts, counts, counts, counts)
def test_bounds_and_symmetry(a: int, b: int, c: int, d: int) -> None:
    kappa = Confusion(a, b, c, d).kappa()
    if not a + b + c + d or a + b + c + d in (a, d):
        assert kappa is None
        return
    assert kappa is not None
    assert -1 - 1e-9 <= kappa.low <= kappa.value <= kappa.high <= 1 + 1e-9
    other = Confusion(d, c, b, a).kappa()
    assert other is not None
    assert (other.value, other.low) == pytest.approx((kappa.value, kappa.low))


def test_a_judge_that_always_says_the_same_agrees_by_chance_only() -> None:
    kappa = Confusion(15, 0, 5, 0).kappa()
    assert kappa is not None
    assert kappa.value == 0


def test_full_agreement_on_few_answers_is_not_certain() -> None:
    assert Confusion(0, 1, 0, 0).kappa() is None
    few, many = Confusion(3, 0, 0, 3).kappa(), Confusion(100, 0, 0, 100).kappa()
    assert few is not None
    assert many is not None
    assert few.value == many.value == 1
    assert few.low < 0.4
    assert many.low > 0.9


@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_a_judge_at_the_limit_is_seldom_taken_for_better(rate: float) -> None:
    # The exact probability, over all tables of 20 answers, that the lower bound reaches the true kappa of 0.4.
    n, both = 20, 0.4 * rate * (1 - rate)
    cells = (rate**2 + both, rate * (1 - rate) - both, rate * (1 - rate) - both, (1 - rate) ** 2 + both)
    wrong = 0.0
    for a, b, c in product(range(n + 1), repeat=3):
        table = Confusion(a, b, c, n - a - b - c)
        if table.no_no < 0 or (kappa := table.kappa()) is None or kappa.low < 0.4:
            continue
        found = (table.yes_yes, table.yes_no, table.no_yes, table.no_no)
        chance = lgamma(n + 1) + sum(count * log(p) - lgamma(count + 1) for count, p in zip(found, cells, strict=True))
        wrong += exp(chance)
    assert 0.01 < wrong < 0.035, "of 2.5 % promised"


def test_confusion_of_labels() -> None:
    assert Confusion.of([True, True, False, False, False], [True, False, True, False, False]) == Confusion(1, 1, 1, 2)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10_000)), min_size=2, max_size=40))
def test_point_biserial_is_pearson(pairs: list[tuple[bool, int]]) -> None:
    flags, values = [flag for flag, _ in pairs], [value for _, value in pairs]
    found = point_biserial(flags, values)
    if len(set(flags)) < 2 or len(set(values)) < 2:
        assert found is None
    else:
        # Tate's formula: (mean of yes − mean of no) · √(p·q) / σ.
        yes, no = ([value for flag, value in pairs if flag is side] for side in (True, False))
        apart = statistics.fmean(yes) - statistics.fmean(no)
        weight = math.sqrt(len(yes) * len(no)) / len(pairs)
        assert found == pytest.approx(apart * weight / statistics.pstdev(values), abs=1e-9)


def test_point_biserial_by_hand() -> None:
    assert point_biserial([True, True, False, False], [4.0, 6.0, 1.0, 1.0]) == pytest.approx(4 * 0.5 / 4.5**0.5)
    assert point_biserial([], []) is None
