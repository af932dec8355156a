"""Each operator, and properties of all mutants."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.core.types import Rung
from promptbench.parsing.json_text import read
from promptbench.workflows.trust.mutants import MAX_MUTANTS, OPERATORS, Original, Vocabulary, format_path, make_mutants

ANSWER = {"order_id": "A-17", "n": 3, "urgent": True, "tags": ["a", "b"], "to": {"team": "billing"}}
OTHER = {"order_id": "B-20", "n": 4, "urgent": False, "tags": [], "to": {"team": "delivery"}}
TEXT = "Your parcel 1042 left Bremen on Monday."


def broken(answer: Any, operator: str, *, accept: Rung = Rung.EXTRACTED, case: str = "one") -> list[tuple[str, Any]]:
    """What one operator makes of an answer, with the location; data as data, where it is still JSON."""
    words = Vocabulary()
    text = answer if isinstance(answer, str) else json.dumps(answer)
    words.learn(Original("two", json.dumps(OTHER), accept, words))
    made = [item for item in make_mutants(Original(case, text, accept, words)) if item.operator.name == operator]
    return [(format_path(item.path), item.text if isinstance(answer, str) else loaded(item.text)) for item in made]


def loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.mark.parametrize(
    ("answer", "operator", "expected"),
    [
        (
            {"a": 1, "b": {"c": 2}},
            "drop a field",
            [("a", {"b": {"c": 2}}), ("b", {"a": 1}), ("b.c", {"a": 1, "b": {}})],
        ),
        ({"order_id": 1}, "rename a field", [("order_id", {"orderId": 1})]),
        ({"orderId": 1}, "rename a field", [("orderId", {"order_id": 1})]),
        ({"order": 1}, "rename a field", [("order", {"Order": 1})]),
        ({"a": 1, "b": None}, "null a field", [("a", {"a": None, "b": None})]),
        ({"a": 1}, "wrong type", [("a", {"a": "1"})]),
        ({"a": None}, "wrong type", [("a", {"a": "null"})]),
        ({"a": "x"}, "wrong type", [("a", {"a": ["x"]})]),
        ({"a": ["x", "y"]}, "wrong type", [("a", {"a": "x, y"})]),
        ({"to": {"team": "billing"}}, "swap two labels", [("to.team", {"to": {"team": "delivery"}})]),
        ({"urgent": True}, "swap two labels", [("urgent", {"urgent": False})]),
        ({"unknown": "billing"}, "swap two labels", []),
        ({"n": 3}, "change a number", [("n", {"n": 4}), ("n", {"n": 30}), ("n", {"n": -3})]),
        ({"id": "A-009"}, "change a number", [("id", {"id": "A-010"})]),
        (TEXT, "change a number", [("the answer", TEXT.replace("1042", "1043"))]),
        (TEXT, "invent a number", [("the answer", f"{TEXT} The reference number is 48213.")]),
        (TEXT, "invent a name", [("the answer", f"{TEXT} Please ask for Henrietta Quill.")]),
        ("billing", "invent a number", []),
        ({"a": "x", "b": ""}, "empty value", [("the answer", {}), ("a", {"a": "", "b": ""})]),
        (["a", "b"], "drop a list item", [("an item of the list", ["b"]), ("an item of the list", ["a"])]),
        (["a", "b"], "duplicate a list item", [("the answer", ["a", "b", "b"])]),
        (["a", "b"], "reorder a list", [("the answer", ["b", "a"])]),
        (["a", "a"], "reorder a list", []),
        ({"a": 1}, "answer to another case", [("the answer", OTHER)]),
        (OTHER, "answer to another case", []),
        ("billing", "empty answer", [("the answer", "")]),
        ({"a": 1}, "trailing comma", [("the answer", '{"a": 1,}')]),
        ({"a": "it's"}, "single quotes", []),
        ({"a": 1}, "single quotes", [("the answer", "{'a': 1}")]),
        ({"a": 1}, "fence", [("the answer", '```json\n{"a": 1}\n```')]),
        ("billing", "fence", []),
        ({"a": [1]}, "truncate", [("the answer", '{"a": '), ("the answer", '{"a": [1]')]),
        ("billing", "truncate", [("the answer", "bill")]),
        ({"a": 1}, "add a field", [("the answer", {"a": 1, "explanation": "as requested"})]),
        ({"a": "x"}, "letter case of a label", [("a", {"a": "X"})]),
        ({"a": "X"}, "letter case of a label", [("a", {"a": "x"})]),
        ({"a": "x"}, "space around a value", [("a", {"a": "x "})]),
        ("one two", "white space", [("the answer", "one  two")]),
    ],
)
def test_an_operator(answer: Any, operator: str, expected: list[tuple[str, Any]]) -> None:
    assert broken(answer, operator) == expected


@pytest.mark.parametrize("operator", ["wrong language", "refusal", "prose around", "introduction", "white space"])
def test_other_operators(operator: str) -> None:
    assert broken(TEXT, operator) or broken(ANSWER, operator)


def test_every_operator_has_a_failure_that_it_stands_for() -> None:
    assert len({operator.name for operator in OPERATORS}) == len(OPERATORS)
    assert all(operator.stands_for.endswith(".") for operator in OPERATORS)


def test_another_language_than_that_of_the_text() -> None:
    [(_, text)] = broken("Nous vous remercions pour votre message et nous le lirons.", "wrong language")
    assert text.startswith("Wir ")


@pytest.mark.parametrize(("accept", "allowed"), [(Rung.RAW, set()), (Rung.EXTRACTED, {"fence", "prose around"})])
def test_equivalent_mutants_by_accept_level(accept: Rung, allowed: set[str]) -> None:
    made = list(make_mutants(Original("one", '{"a": "x"}', accept, Vocabulary())))
    assert {item.operator.name for item in made if item.equivalent} == {*allowed, "white space"}


def test_repairable_mutants_are_equivalent_if_repairs_are_accepted() -> None:
    made = make_mutants(Original("one", '{"a": "x"}', Rung.REPAIRED_SAFE, Vocabulary()))
    assert {"trailing comma", "single quotes"} <= {item.operator.name for item in made if item.equivalent}


def test_at_most_four_mutants_of_different_paths() -> None:
    answer = {f"field{number}": number + 2 for number in range(9)}
    one, two = (broken(answer, "change a number", case=case) for case in ("one", "two"))
    assert len(one) == MAX_MUTANTS == len({location for location, _ in one})
    assert one == broken(answer, "change a number", case="one")
    assert one != two


def test_labels_of_the_schema() -> None:
    words = Vocabulary({"type": "object", "properties": {"team": {"enum": ["billing", "delivery"]}}})
    made = [*make_mutants(Original("one", '{"team": "billing"}', Rung.RAW, words))]
    assert '{"team": "delivery"}' in [item.text for item in made if item.operator.name == "swap two labels"]


def test_data_in_a_fence_is_unfenced() -> None:
    original = Original("one", '```json\n{"a": 1}\n```', Rung.EXTRACTED, Vocabulary())
    assert (original.is_data, original.text) == (True, '{"a": 1}')


def test_a_layout_over_lines_is_kept() -> None:
    text = json.dumps(ANSWER, indent=2)
    assert Original("one", text, Rung.RAW, Vocabulary()).text == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


@given(st.text() | JSON.map(json.dumps), st.sampled_from([Rung.RAW, Rung.EXTRACTED, Rung.REPAIRED_SAFE]))
@settings(max_examples=150, deadline=None)
def test_a_mutant_differs_when_it_is_read(text: str, accept: Rung) -> None:
    words = Vocabulary({"enum": ["a", True]})
    words.learn(Original("two", '{"a": ["b c d e f", 1]}', accept, words))
    original = Original("one", text, accept, words)
    words.learn(original)
    seen = set()
    for item in make_mutants(original):
        assert item.text not in seen
        seen.add(item.text)
        if original.is_data and not item.equivalent:
            reading = read(item.text)
            same = reading.rung.within(accept) and json.dumps(reading.value) == json.dumps(original.value)
            assert not same, item.operator.name
        elif not original.is_data:
            assert item.text.strip() != text.strip()


def test_a_long_answer_is_left_alone() -> None:
    assert not list(make_mutants(Original("one", "word " * 30_000, Rung.RAW, Vocabulary())))
