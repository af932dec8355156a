from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("Denver Broncos", "the Denver Broncos."),
        (["Broncos", "Denver"], "denver"),
        ("", ""),
        ([], " The ... "),
        (["", "Paris"], "paris"),
        (1912, "1912"),
        ({"is": "Paris", "at": "answer"}, '{"answer": "Paris!"}'),
        ({"is": "Paris", "ignore": "citations"}, "Paris [1]"),
        ({"is": "", "ignore": "citations"}, " [1]"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("exact match", argument, text).reason == ""


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        ("Denver Broncos", "Broncos", "the answer is 'Broncos', not 'Denver Broncos'"),
        (["a1", "b1"], "c1", "the answer is 'c1', not 'a1' or 'b1'"),
        ("", "Paris", "the answer is 'Paris', not ''"),
        ("Paris", "Paris [1]", "the answer is 'Paris [1]', not 'Paris'"),
        ({"is": "Paris", "ignore": "citations"}, "[Paris](here)", "the answer is '[Paris](here)', not 'Paris'"),
        (["", "Paris"], "", "the answer is '', not '' or 'Paris'"),
    ],
)
def test_says_what_was_right(argument: Json, text: str, reason: str) -> None:
    assert score("exact match", argument, text).reason == reason


def test_nothing_else_can_be_ignored() -> None:
    with pytest.raises(ValueError, match="'ignore' is 'case': known are citations"):
        score("exact match", {"is": "Paris", "ignore": "case"}, "paris")


@pytest.mark.parametrize("argument", [None, [None], [["a"]], {"at": "x"}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match="right answer"):
        score("exact match", argument, "x")
