from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [("upper", "OK, 1 ÄPFEL! 漢字"), ("lower", "ok, 1 äpfel ß!"), ("Upper", "A"), ("lower", "ªa")],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("letter case", argument, text).passed


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        ("upper", "THE END of it all, and a bit more", "expected upper case, got 'of it all, and a bit'"),
        ("lower", "the END", "expected lower case, got 'END'"),
        ("lower", "ǅ", "expected lower case, got 'ǅ'"),
        ("upper", "42 漢字", "the answer has no letters with upper and lower case"),
        ("lower", "", "the answer has no letters with upper and lower case"),
    ],
)
def test_shows_the_first_letter_that_is_wrong(argument: Json, text: str, reason: str) -> None:
    assert score("letter case", argument, text).reason == reason


@pytest.mark.parametrize(
    ("argument", "said"), [(None, "known are upper, lower"), ("uper", "did you mean 'upper'"), ([], "known are")]
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score("letter case", argument, "x")
