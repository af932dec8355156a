from __future__ import annotations

import pytest

from promptbench.core.types import Json
from promptbench.formats.marked_yaml import WrittenNumber
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"team": "billing"}, '{"team": "billing", "why": "charged"}'),
        ({"a": {"b": 1}}, '{"a": {"b": 1.0, "c": 2}}'),
        ({"price": WrittenNumber("1.10")}, '{"price": 1.1}'),
        ({"price": WrittenNumber("1.10")}, '{"price": "1.10"}'),
        ({"order": 17}, '{"order": "17"}'),
        ({"order": None}, '{"order": null}'),
        ({"list": [1, "a"]}, '{"list": [1, "a"]}'),
        ([1, 2], "[1, 2]"),
        (True, "true"),
        (7, "7"),
        (None, "null"),
        (" billing ", "billing\n"),
        ("no", "no"),
    ],
)
def test_passes(wanted: Json, text: str) -> None:
    assert score("expect", wanted, text).passed


@pytest.mark.parametrize(
    ("wanted", "text", "reason"),
    [
        ({"team": "billing"}, '{"team": "Billing"}', "team is 'Billing', not 'billing'"),
        ({"a": {"b": 1}}, '{"a": {}}', "a.b is missing"),
        ({"a": 1}, "[1]", "the answer is [1], not an object with a"),
        ({"price": WrittenNumber("1.10")}, '{"price": "1.1"}', "price is '1.1', not 1.1"),
        ({"urgent": True}, '{"urgent": 1}', "urgent is 1, not true"),
        ({"count": 1}, '{"count": true}', "count is true, not 1"),
        ({"count": "1"}, '{"count": 1}', "count is 1, not '1'"),
        ({"list": [1]}, '{"list": [1, 2]}', "list is [1,2], not [1]"),
        ({"a": None}, "{}", "a is missing"),
        ("billing", '"billing"', """the answer is '"billing"', not 'billing'"""),
    ],
)
def test_says_what_differs(wanted: Json, text: str, reason: str) -> None:
    assert score("expect", wanted, text).reason == reason


@pytest.mark.parametrize("wanted", [{}, ""])
def test_refuses_to_compare_nothing(wanted: Json) -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        score("expect", wanted, "x")


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"is": "Billing!", "ignore": ["case", "punctuation"]}, "billing"),
        ({"is": {"team": "Billing"}, "ignore": "case"}, '{"team": "BILLING", "why": "charged"}'),
    ],
)
def test_what_is_ignored_does_not_count(wanted: Json, text: str) -> None:
    assert score("expect", wanted, text).passed


def test_options_compare_something_too() -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        score("expect", {"is": {}, "ignore": "case"}, "x")
