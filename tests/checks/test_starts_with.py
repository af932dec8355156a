from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.checks.starts_with import paragraph
from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("Dear", " \ndear Ann"),
        (" Dear ", "Dearest"),
        (5, "5 days"),
        (True, "True story"),
        ({"text": "no", "paragraph": "last"}, "yes\n\nno."),
        ({"text": "b c", "paragraph": 2}, "a\n\n b c"),
        ({"word": "However"}, "'\"however!' he said"),
        ({"word": "However", "paragraph": "Last"}, "a\n\nHowever, b\n"),
        ({"word": "L"}, "L'été"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("starts with", argument, text).passed


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        ("Dear", "Hi Ann", "expected 'Dear', got 'Hi A'"),
        ({"text": "x", "paragraph": 3}, "a\n\nb", "paragraph 3 not found"),
        ({"text": "x", "paragraph": 2}, "a\n\n\n\nx", "paragraph 2 not found"),
        ({"text": "x", "paragraph": "last"}, "x\n\nb", "last paragraph: expected 'x', got 'b'"),
        ({"word": "how"}, "however", "first word of the answer: expected 'how', got 'however'"),
        ({"word": "a", "paragraph": 2}, "a\n\n...", "first word of paragraph 2: expected 'a', got ''"),
        ({"word": "a"}, "", "first word of the answer: expected 'a', got ''"),
    ],
)
def test_says_how_it_starts(argument: Json, text: str, reason: str) -> None:
    assert score("starts with", argument, text).reason == reason


def test_a_variable_of_the_case() -> None:
    argument = {"variable": "request"}
    assert score("starts with", argument, "Write a poem. Roses", variables={"request": "write a poem.\n"}).passed
    nothing: list[dict[str, Json]] = [{}, {"request": 5}, {"request": " "}]
    for variables in nothing:
        reason = score("starts with", argument, "x", variables=variables).reason
        assert reason == "the case has no text 'request' under 'vars'"


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (None, "must be a text"),
        ("", "must be a text"),
        (["a"], "must be a text"),
        ({}, "give a text, or the name"),
        ({"text": "a", "variable": "b"}, "give a text, or the name"),
        ({"text": "a", "word": "b"}, "give a text, or the name"),
        ({"word": "two words"}, "'two words' is not one word"),
        ({"word": "don't"}, "is not one word"),
        ({"text": "a", "paragraf": 1}, "did you mean 'paragraph'"),
        ({"text": "a", "paragraph": 0}, "paragraphs count from 1"),
        ({"text": "a", "paragraph": "second"}, "expected a number"),
    ],
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        score("starts with", argument, "x")


@settings(deadline=None)
@given(text=st.text(st.sampled_from("ab \n\t")), number=st.integers(1, 4))
def test_paragraphs_are_those_of_the_published_rule(text: str, number: int) -> None:
    paragraphs = re.split(r"\n\n", text)
    counted = sum(1 for paragraph in paragraphs if paragraph.strip())
    wanted = paragraphs[number - 1].strip() if number <= counted else ""
    assert paragraph(text, number) == (wanted or None)
