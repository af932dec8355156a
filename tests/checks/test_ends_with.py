from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("Bye.", "x bye. \n"),
        ("Bye.", '"x Bye."'),
        ('says "hi"', 'he says "Hi"'),
        (7, "17"),
        ({"text": "end", "paragraph": 1}, "the End\n\nmore"),
        ({"text": "more", "paragraph": "last"}, "the end\n\nno more\n\n"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("ends with", argument, text).passed


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        ("Bye.", "Bye. Bye!", "expected 'Bye.', got 'Bye!'"),
        ("Bye.", "", "expected 'Bye.', got ''"),
        ({"text": "a", "paragraph": 2}, "a", "paragraph 2 not found"),
        ({"text": "a", "paragraph": "last"}, "a\n\nb", "last paragraph: expected 'a', got 'b'"),
    ],
)
def test_says_how_it_ends(argument: Json, text: str, reason: str) -> None:
    assert score("ends with", argument, text).reason == reason


def test_a_variable_of_the_case() -> None:
    assert score("ends with", {"variable": "name"}, "Yours, Ann", variables={"name": "ann"}).passed
    reason = score("ends with", {"variable": "nam"}, "Ann", variables={"name": "ann"}).reason
    assert reason == "the case has no text 'nam' under 'vars'"


@pytest.mark.parametrize(
    ("argument", "said"), [(None, "must be a text"), ({}, "give a text"), ({"word": "a"}, "unknown option 'word'")]
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score("ends with", argument, "x")
