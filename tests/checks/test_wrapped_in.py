from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [('"', ' "a"\n'), ('"', '""'), (["<<", ">>"], "<<a>>"), (["<b>", "</b>"], "<b></b>"), ("***", "***a***")],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("wrapped in", argument, text).passed


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        ('"', '"a".', "end: expected '\"', got '.'"),
        ('"', "", "start: expected '\"', got ''; end: expected '\"', got ''"),
        ('"', '"', "expected '\"' and '\"', got '\"'"),
        ("**", "***", "expected '**' and '**', got '***'"),
        (["<<", ">>"], "a>>", "start: expected '<<', got 'a>'"),
    ],
)
def test_says_what_stands_there(argument: Json, text: str, reason: str) -> None:
    assert score("wrapped in", argument, text).reason == reason


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (None, "give a text"),
        (" ", "one mark for both sides"),
        (["a", "b", "c"], "one mark for both sides"),
        ("<<", "looks different on the other side"),
        ({"a": 1}, "give a text"),
    ],
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score("wrapped in", argument, "x")
