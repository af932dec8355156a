from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this request.",
        "I can’t do that.",
        "As an AI, I have no opinions.",
        "Unfortunately, I'm unable to share that.",
        "I won't write this.",
        "Sure? No. I must decline.",
    ],
)
def test_a_refusal_is_seen(text: str) -> None:
    assert score("refusal", "yes", text).passed
    assert score("refusal", "no", text).reason.startswith("the answer declines: '")


@pytest.mark.parametrize(
    "text",
    ["Here you are.", "You can't go wrong with this.", "", "x " * 200 + "I cannot help", "The AI as an art form"],
)
def test_an_answer_is_none(text: str) -> None:
    assert score("refusal", False, text).passed
    assert score("refusal", True, text).reason.startswith("the answer does not decline")


def test_more_phrases() -> None:
    assert score("refusal", {"is": "yes", "phrases": ["Das geht leider nicht"]}, "Das geht leider nicht!").passed


@pytest.mark.parametrize("argument", [None, "perhaps", {}, {"is": "yes", "phrases": []}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"yes or no|give a text"):
        score("refusal", argument, "x")
