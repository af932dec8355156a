from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("Denver Broncos", "The Broncos, Denver"),
        ({"is": ["Denver Broncos", "Broncos"], "at least": 0.8}, "denver broncos won"),
        ({"is": "", "at least": 0.1}, ""),
        ({"is": "30 days", "ignore": "citations"}, "30 days [r1], [r2]"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("token f1", argument, text).reason == ""


def test_says_how_far_off_it_is() -> None:
    result = score("token f1", {"is": "Denver Broncos", "at least": 0.8}, "Broncos")
    assert result.reason == "expected words of 'Denver Broncos', got 'Broncos' (score 0.67, needs 0.80)"
    assert result.value == pytest.approx(2 / 3)


def test_only_an_empty_answer_fits_a_question_without_one() -> None:
    assert score("token f1", {"is": "", "at least": 0.01}, "Paris").value == 0


@pytest.mark.parametrize("argument", [None, {"is": "a", "at least": 0}, {"is": "a", "at least": "high"}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"right answer|at least"):
        score("token f1", argument, "x")
