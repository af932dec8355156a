from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.checks import similar
from promptbench.core.protocols import CheckContext, JudgedCheck
from promptbench.core.types import Answer, Json
from tests.helpers.subjects import score, subject


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


@pytest.mark.parametrize(
    "argument", [None, "", {"to": []}, {"to": "a", "at least": 0}, "a" * 300_000, {"to": "a", "by": "openai/e"}]
)
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"give a text|at least|at most"):
        score("similar", argument, "x")


@pytest.mark.parametrize(
    ("embeddings", "value", "reason"),
    [
        (["[3, 4]", "[4, 3]", "[-1, 0]"], 0.96, ""),
        (["[1, 0]", "[-1, 0]", "[0, 0]"], 0.0, "expected a text that means 'a' or 'b', got 'x' (score 0.00"),
        (["[1, 0]", "[1, 0, 0]", "[1, 0]"], 0.0, "m/n returns embeddings of 2 and 3 numbers"),
        (["[1, NaN]", "[1, 0]", "[1, 0]"], 0.0, "m/n returns no list of numbers"),
        (["{}", "[1, 0]", "[1, 0]"], 0.0, "m/n returns no list of numbers"),
        (["[1]", None, "[1]"], 0.0, "m/n was not called"),
    ],
)
def test_by_a_model_it_is_the_best_cosine(embeddings: list[str | None], value: float, reason: str) -> None:
    check = similar.build({"to": ["a", "b"], "by": "m/n", "at least": 0.9}, CheckContext(Path()))
    assert isinstance(check, JudgedCheck)
    assert [request.messages[0].content for request in check.requests(subject(" x\ud800 "))] == ["x\ufffd", "a", "b"]
    result = check.conclude(subject("x"), [text and Answer(text, "n") for text in embeddings])
    assert (result.value, result.errored) == (pytest.approx(value), "m/n" in reason)
    assert result.passed is (not reason)
    assert result.reason.startswith(reason)
    assert check.requests(subject(" ")) == []
    assert check.conclude(subject(" "), []).reason == "the answer is empty"
