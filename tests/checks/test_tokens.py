from __future__ import annotations

import pytest

from promptbench.core.types import CallFacts, Json, Usage
from tests.helpers.subjects import score

CALL = CallFacts(usage=Usage(input_tokens=1000, output_tokens=300))


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        (300, ""),
        ({"at most": 299}, "tokens of the answer: expected at most 299, got 300"),
        ({"at most": 1000, "of": "prompt"}, ""),
        ({"at most": 999, "of": "prompt"}, "tokens of the prompt: expected at most 999, got 1,000"),
        ({"at most": 1299, "of": "both"}, "tokens: expected at most 1,299, got 1,300"),
    ],
)
def test_at_most(argument: Json, reason: str) -> None:
    assert score("tokens", argument, "x", call=CALL).reason == reason


def test_an_unknown_number_fails_and_a_text_without_a_call_passes() -> None:
    assert "is unknown" in score("tokens", 300, "x", call=CallFacts()).reason
    assert score("tokens", 300, "x").passed


@pytest.mark.parametrize("argument", [None, "few", 1.5, -1, {"at most": 1, "of": "all"}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"number|'of' is"):
        score("tokens", argument, "x")
