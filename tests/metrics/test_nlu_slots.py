from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from promptbench.core.types import Json
from promptbench.metrics.nlu import compare, f1, spans

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("slot"), inner, max_size=3)
    ),
    max_leaves=8,
)


def counts(expected: Json, said: Json) -> tuple[int, int, int]:
    return compare(spans(expected), spans(said)).counts


@pytest.mark.parametrize(
    ("expected", "said", "found"),
    [
        ({"city": "Berlin"}, {"city": "Berlin"}, (1, 1, 1)),
        ({"city": "Berlin"}, {"city": "berlin"}, (0, 1, 1)),
        ({"city": "Berlin"}, {"town": "Berlin"}, (0, 1, 1)),
        ({"city": "Berlin"}, {"city": ["Berlin", "Bern"]}, (1, 2, 1)),
        ({"city": ["Bern", "Bern"]}, {"city": "Bern"}, (1, 1, 2)),
        ({"city": "Berlin", "date": None}, {"city": "Berlin", "date": []}, (1, 1, 1)),
        ({}, {"city": "Berlin"}, (0, 1, 0)),
        ({"n": 3}, {"n": "3"}, (1, 1, 1)),
        (None, [], (0, 0, 0)),
        # Offsets decide where all have them: the same word twice is two spans.
        (
            [{"slot": "city", "value": "Bern", "start": 0, "end": 4}],
            [{"slot": "city", "value": "Bern", "start": 9, "end": 13}],
            (0, 1, 1),
        ),
        ([{"slot": "city", "start": 0, "end": 4}], [{"slot": "city", "start": 0, "end": 4}], (1, 1, 1)),
        # A boundary that is one off is wrong, and wrong twice: one span is missing, another too much.
        ([{"slot": "city", "start": 0, "end": 4}], [{"slot": "city", "start": 0, "end": 5}], (0, 1, 1)),
        # Without offsets on one side the values are compared.
        ([{"slot": "city", "value": "Bern", "start": 0, "end": 4}], {"city": "Bern"}, (1, 1, 1)),
    ],
)
def test_spans_are_compared_strictly(expected: Json, said: Json, found: tuple[int, int, int]) -> None:
    assert counts(expected, said) == found


@pytest.mark.parametrize(
    "written", ["Berlin", 5, [1], [{"value": "x"}], [{"slot": "a"}], {"a": {"b": 1}}, {"a": [[1]]}]
)
def test_what_is_no_slots_is_refused(written: Json) -> None:
    with pytest.raises(ValueError, match=r"slot"):
        spans(written)


@given(ODD)
def test_whatever_an_answer_has_is_slots_or_refused(written: Json) -> None:
    try:
        found = spans(written)
    except ValueError:
        return
    assert compare(found, found).counts == (len(found),) * 3


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_each_span_is_met_once(expected: list[str], said: list[str]) -> None:
    found = compare(spans({"s": expected}), spans({"s": said}))
    assert len(found.right) == sum(min(expected.count(x), said.count(x)) for x in "abc")
    assert len(found.missing) == len(expected) - len(found.right)
    assert len(found.extra) == len(said) - len(found.right)


def test_f1_over_many_is_micro_averaged() -> None:
    assert f1(3, 4, 5) == pytest.approx(2 * (3 / 4) * (3 / 5) / (3 / 4 + 3 / 5))
    assert f1(0, 0, 0) == 1
