from __future__ import annotations

import json

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("wanted", "text"),
    [({"a": 1, "b": [True]}, '{"b": [true], "a": 1.0}'), ("yes", " yes\n"), ([], "[]"), ({}, "{}"), (None, "null")],
)
def test_passes(wanted: Json, text: str) -> None:
    assert score("equals", wanted, text).passed


@pytest.mark.parametrize(
    ("wanted", "text", "reason"),
    [
        ({"a": 1}, '{"a": 1, "b": 2}', 'the answer is {"a":1,"b":2}, not {"a":1}'),
        ({"a": {"b": 1}}, '{"a": {"b": 1, "c": 2}}', 'the answer is {"a":{"b":1,"c":2}}, not {"a":{"b":1}}'),
        ([1], "[1, 1]", "the answer is [1,1], not [1]"),
        ("yes", "Yes", "the answer is 'Yes', not 'yes'"),
    ],
)
def test_nothing_is_free(wanted: Json, text: str, reason: str) -> None:
    assert score("equals", wanted, text).reason == reason


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"is": "Café", "ignore": ["case", "accents"]}, "CAFE"),
        ({"is": {"team": "Billing"}, "ignore": "case"}, '{"team": "BILLING"}'),
        ({"Is": "a b", "IGNORE": "white space"}, "a\n b"),
    ],
)
def test_what_is_ignored_does_not_count(wanted: Json, text: str) -> None:
    assert score("equals", wanted, text).passed


@pytest.mark.parametrize("wanted", [{"is": "a"}, {"is": "a", "ignore": "case", "more": 1}])
def test_other_objects_are_answers(wanted: Json) -> None:
    assert score("equals", wanted, json.dumps(wanted)).passed


def test_an_unknown_difference_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'case'"):
        score("equals", {"is": "a", "ignore": "cas"}, "a")
