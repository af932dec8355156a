"""Held against scikit-learn, and against figures that can be computed by hand."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, strategies as st

from promptbench.metrics.nlu import accuracy, averages, by_label, confusions, macro_f1

LABELS = st.sampled_from(["a", "b", "c", "d", "oos"])
PAIRS = st.lists(st.tuples(LABELS, LABELS | st.just("made up")), min_size=1, max_size=60)


@given(PAIRS)
def test_figures_are_those_of_scikit_learn(items: list[tuple[str, str]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    expected, said = zip(*items, strict=True)
    labels = sorted(set(expected))
    pairs = Counter(items)
    for label, figures in by_label(pairs).items():
        one = metrics.precision_recall_fscore_support(expected, said, labels=[label], zero_division=0)
        assert [figures.precision, figures.recall, figures.f1, figures.support] == pytest.approx([x[0] for x in one])
    found = averages(pairs)
    for name in ("macro", "micro", "weighted"):
        theirs = metrics.precision_recall_fscore_support(expected, said, labels=labels, average=name, zero_division=0)[
            :3
        ]
        ours = getattr(found, name)
        assert (ours.precision, ours.recall, ours.f1) == pytest.approx(theirs)
        assert ours.support == len(items)
    assert macro_f1(pairs) == pytest.approx(found.macro.f1)
    assert accuracy(pairs) == (sum(one == other for one, other in items), len(items))


def test_in_scope_accuracy_and_out_of_scope_recall() -> None:
    pairs = {("a", "a"): 8, ("a", "oos"): 1, ("b", None): 1, ("oos", "oos"): 3, ("oos", "a"): 7}
    assert accuracy(pairs, {"a", "b"}) == (8, 10)
    assert accuracy(pairs, {"oos"}) == (3, 10)
    assert by_label(pairs)["a"].precision == pytest.approx(8 / 15)


def test_an_answer_without_a_label_is_wrong_and_says_nothing_else() -> None:
    pairs = {("a", None): 1, ("a", "a"): 1}
    assert list(by_label(pairs)) == ["a"]
    assert by_label(pairs)["a"].precision == 1
    assert by_label(pairs)["a"].recall == 0.5
    assert confusions(pairs) == []


def test_nothing_counted_is_no_figure_and_no_error() -> None:
    assert averages({}).macro.f1 == 0
    assert by_label({}) == {}
    assert accuracy({}) == (0, 0)


def test_confusions_are_ordered_by_count_and_then_by_name() -> None:
    pairs = {("b", "a"): 2, ("a", "b"): 2, ("a", "c"): 5, ("a", "a"): 9}
    assert confusions(pairs, 2) == [("a", "c", 5), ("a", "b", 2)]
