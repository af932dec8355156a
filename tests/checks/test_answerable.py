from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score

ABSTAINS = [
    "",
    " \n",
    "null",
    '""',
    "Unanswerable.",
    "N/A",
    "none",
    "Unknown",
    "I don't know.",
    "I don’t know the answer to that.",
    "I do not know. It may be in another document.",
    "The document does not mention a price.",
    "The text doesn't say when it happened.",
    "This is not in the document",
    "It cannot be determined from the passage.",
    "I can't answer that from the given text",
    "There is not enough information to answer.",
    "The answer is not mentioned in the article; sorry.",
]
ANSWERS = [
    "Paris",
    "It was built in 1889. I don't know who built it.",
    "42",
    "None of them left before 1990.",
    "He knew nothing of it",
    "false",
    "The unknown soldier",
]


@pytest.mark.parametrize("text", ABSTAINS)
def test_abstaining_is_seen(text: str) -> None:
    assert score("answerable", "no", text).passed
    assert score("answerable", "yes", text).reason.startswith("expected an answer, got")


@pytest.mark.parametrize("text", ANSWERS)
def test_answers_are_seen(text: str) -> None:
    assert score("answerable", True, text).passed
    assert score("answerable", False, text).reason.startswith("expected no answer")


@pytest.mark.parametrize(
    ("value", "answers"),
    [
        ("null", False),
        ('""', False),
        ("[]", False),
        ('"unknown"', False),
        ("0", True),
        ("false", True),
        ('["a"]', True),
    ],
)
def test_a_field_of_a_json_answer(value: str, answers: bool) -> None:
    argument = {"is": answers, "at": "answer"}
    assert score("answerable", argument, f'{{"answer": {value}}}').passed
    assert not score("answerable", argument, "{}").passed


def test_more_phrases_in_any_language() -> None:
    argument = {"is": "no", "phrases": ["Das weiß ich nicht"]}
    assert score("answerable", argument, "Das weiß ich nicht, leider.").passed
    assert not score("answerable", "no", "Das weiß ich nicht, leider.").passed


@pytest.mark.parametrize("argument", [None, "maybe", 1, {}, {"at": "x"}, {"is": "no", "phrases": ["..."]}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"yes or no|phrases"):
        score("answerable", argument, "x")
