from __future__ import annotations

import json

import pytest

from promptbench.core.types import Json
from promptbench.yaml.marked import WrittenNumber
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
        ({"team": "billing"}, '{"team": "Billing"}', "team: expected 'billing', got 'Billing'"),
        ({"a": {"b": 1}}, '{"a": {}}', "a.b is missing"),
        ({"a": 1}, "[1]", "expected an object with a, got [1]"),
        ({"price": WrittenNumber("1.10")}, '{"price": "1.1"}', "price: expected 1.1, got '1.1'"),
        ({"urgent": True}, '{"urgent": 1}', "urgent: expected true, got 1"),
        ({"count": 1}, '{"count": true}', "count: expected 1, got true"),
        ({"count": "1"}, '{"count": 1}', "count: expected '1', got 1"),
        ({"list": [1]}, '{"list": [1, 2]}', "list: expected [1], got [1,2]"),
        ({"a": None}, "{}", "a is missing"),
        ("billing", '"billing"', "expected 'billing', got '\"billing\"'"),
    ],
)
def test_says_what_differs(wanted: Json, text: str, reason: str) -> None:
    assert score("expect", wanted, text).reason == reason


@pytest.mark.parametrize("wanted", [{}, "", {"is": {}, "ignore": "case"}, {"any of": [{}, {"a": 1}]}])
def test_refuses_to_compare_nothing(wanted: Json) -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        score("expect", wanted, "x")


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"is": "Billing!", "ignore": ["case", "punctuation"]}, "billing"),
        ({"is": {"team": "Billing"}, "ignore": "case"}, '{"team": "BILLING", "why": "charged"}'),
        ({"is": {"team": "billing"}, "fields": "all"}, '{"team": "billing"}'),
        ({"any of": ["yes", "no"]}, " no\n"),
        ({"any of": [{"team": "a"}, {"team": "b"}, "none"]}, '{"team": "b", "why": 1}'),
        ({"any of": [1, None]}, "null"),
        ({"any of": ["Denver Broncos"], "ignore": "squad"}, "the Denver Broncos!"),
        ({"is": "", "ignore": ["squad", "citations"]}, " [1]"),
        ({"is": "b", "at": "x[-1]"}, '{"x": ["a", "b"]}'),
        ({"is": {"n": 1}, "at": "x[0]"}, '{"x": [{"n": 1, "m": 2}]}'),
        ({"is": {"x[0].n": 1, "y": 3}, "fields": "paths", "at least": "50%"}, '{"x": [{"n": 1}]}'),
    ],
)
def test_options(wanted: Json, text: str) -> None:
    assert score("expect", wanted, text).reason == ""


@pytest.mark.parametrize(
    ("wanted", "text", "reason"),
    [
        ({"is": {"a": 1}, "fields": "all"}, '{"a": 1, "b": 2}', 'expected {"a":1}, got {"a":1,"b":2}'),
        ({"any of": ["a", "b"]}, "a b", "expected one of 'a', 'b', got 'a b'"),
        ({"any of": ["a", "b"], "at": "x.y"}, '{"x": {"y": "c"}}', "x.y: expected one of 'a', 'b', got 'c'"),
        ({"any of": ["a", "b"], "at": "x.y"}, '{"x": {}}', "x.y is missing"),
        ({"is": {"n": 1}, "at": "x"}, '{"x": {"n": 2}}', "x.n: expected 1, got 2"),
    ],
)
def test_options_say_what_differs(wanted: Json, text: str, reason: str) -> None:
    assert score("expect", wanted, text).reason == reason


@pytest.mark.parametrize("answer", [{"is": "a"}, {"is": "a", "more": 1}, {"fields": "all"}, {"at": "noon"}])
def test_other_objects_are_answers(answer: Json) -> None:
    assert score("expect", answer, json.dumps(answer)).passed


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"is": "a", "any of": ["b"]}, "give one of"),
        ({"any of": "a"}, "list of right answers"),
        ({"is": "a", "at least": 0.5}, "needs 'fields: paths'"),
        ({"is": "a", "fields": "paths"}, "needs 'is' with at least one path"),
        ({"is": {"a": 1}, "fields": "al"}, "did you mean 'all'"),
        ({"is": "a", "ignore": "cas"}, "did you mean 'case'"),
    ],
)
def test_refuses(wanted: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score("expect", wanted, "x")
