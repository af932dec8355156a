from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(("argument", "text"), [(["a", "b"], " b\n"), ([1, True], "true"), ([" a "], "a")])
def test_passes(argument: Json, text: str) -> None:
    assert score("one of", argument, text).passed


def test_the_whole_answer_counts() -> None:
    assert score("one of", ["a", "b"], "a b").reason == "the answer is 'a b', none of 'a', 'b'"


@pytest.mark.parametrize("argument", ["a", [], None, [None], [{"a": 1}]])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match="list of texts"):
        score("one of", argument, "x")


def test_what_is_ignored_does_not_count() -> None:
    assert score("one of", {"is": ["Billing", "Other"], "ignore": ["case", "punctuation"]}, "billing.").passed


def test_a_field_of_a_json_answer() -> None:
    argument = {"is": ["a", "7"], "at": "x.y"}
    assert score("one of", argument, '{"x": {"y": 7}}').passed
    assert score("one of", argument, '{"x": {"y": "b"}}').reason == "x.y is 'b', none of 'a', '7'"
    assert score("one of", argument, '{"x": {}}').reason == "x.y is missing"
    assert score("one of", argument, '{"x": {"y": [1]}}').reason == "x.y is [1], not a text"
    assert score("one of", argument, "a").reason.startswith("not JSON")
