from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ({"separated by": "---", "exactly": 2}, "a\n---\nb"),
        ({"separated_by": "---", "at least": 2, "at most": 3}, "---\na---b---"),
        ({"separated by": "***", "exactly": 1}, "a"),
        ({"separated by": "|", "exactly": 2, "all different": False}, "a|a"),
        ({"separated by": "|", "exactly": 0}, ""),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("parts", argument, text).passed


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        ({"separated by": "|", "exactly": 2}, "a", "parts: expected exactly 2, got 1"),
        ({"separated by": "|", "exactly": 2}, "a||b", "nothing between two '|'"),
        ({"separated by": "|", "exactly": 2, "all different": "yes"}, "a| a", "two parts are the same"),
    ],
)
def test_says_what_is_wrong(argument: Json, text: str, reason: str) -> None:
    assert score("parts", argument, text).reason == reason


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (None, "say what separates the parts"),
        ("***", "say what separates the parts"),
        ({"exactly": 2}, "say what separates the parts"),
        ({"separated by": " ", "exactly": 2}, "must be a text"),
        ({"separated by": "***"}, "say how many"),
        ({"separated by": "***", "exactly": 2, "all different": "never"}, "expected yes or no"),
        ({"seperated by": "***", "exactly": 2}, "did you mean 'separated by'"),
    ],
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score("parts", argument, "x")


def _published_paragraphs(text: str, wanted: int) -> bool:
    paragraphs = re.split(r"\s?\*\*\*\s?", text)
    number = len(paragraphs)
    for index, paragraph in enumerate(paragraphs):
        if not paragraph.strip():
            if index not in (0, len(paragraphs) - 1):
                return False
            number -= 1
    return number == wanted


@settings(deadline=None)
@given(text=st.text(st.sampled_from("*ab \n"), max_size=30).filter(str.strip), wanted=st.integers(1, 4))
def test_decides_as_the_published_rule_for_paragraphs(text: str, wanted: int) -> None:
    text = text.replace("a", "***")
    got = score("parts", {"separated by": "***", "exactly": wanted}, text).passed
    assert got == _published_paragraphs(text, wanted)


def _published_responses(text: str) -> bool:
    pieces = text.split("******")
    if any(not piece.strip() for piece in pieces[1:-1]):
        return False
    valid = [piece.strip() for piece in pieces if piece.strip()]
    return len(valid) == 2 and valid[0] != valid[1]


@settings(deadline=None)
@given(text=st.text(st.sampled_from("*ab \n"), max_size=30))
def test_decides_as_the_published_rule_for_two_responses(text: str) -> None:
    text = text.replace("a", "******")
    got = score("parts", {"separated by": "******", "exactly": 2, "all different": True}, text).passed
    assert got == _published_responses(text)
