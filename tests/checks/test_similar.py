from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("Your refund is on its way.", "Your refund is on its way!"),
        ({"to": ["abc", "The cat is on the mat."], "at least": "65%"}, "The cat sat on the mat."),
        ({"to": "ÉTÉ", "ignore": ["case", "accents"], "at least": 1}, "ete"),
        ({"to": "hello", "at": "a"}, '{"a": "hello"}'),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("similar", argument, text).reason == ""


def test_says_how_far_off_it_is() -> None:
    result = score("similar", {"to": "The cat is on the mat.", "at least": 0.7}, "The cat sat on the mat.")
    said = "expected a text like 'The cat is on the mat.', got 'The cat sat on the mat.' (score 0.67, needs 0.70)"
    assert result.reason == said
    assert result.value == pytest.approx(0.6717273492330233)


def test_a_long_answer_is_not_compared() -> None:
    assert "too long" in score("similar", "a", "a" * 300_000).reason


@pytest.mark.parametrize("argument", [None, "", {"to": []}, {"to": "a", "at least": 0}, "a" * 300_000])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"give a text|at least|at most"):
        score("similar", argument, "x")
