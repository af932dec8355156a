from __future__ import annotations

import pytest

from tests.helpers.subjects import score


def test_one_is_enough() -> None:
    argument = [{"answerable": "no"}, {"expect": {"is": {"a": 1, "b": 2}, "fields": "paths"}}]
    assert score("any of", argument, "I don't know").passed
    assert score("any of", argument, '{"a": 1, "b": 2}').passed


def test_says_why_none_holds_and_scores_the_best() -> None:
    result = score("any of", [{"contains": "x"}, {"expect": {"is": {"a": 1, "b": 2}, "fields": "paths"}}], '{"a": 1}')
    assert result.reason == "none of 2 holds: contains: 'x' is not in the answer; expect: b is missing"
    assert result.value == 0.5


def test_refuses() -> None:
    with pytest.raises(ValueError, match="give a list of checks"):
        score("any of", "contains", "x")
