from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("refund", "A REFUND is on its way"),
        (["refund", "14 days"], "The Refund takes 14 days."),
        ("STRASSE", "in der straße"),
        (1, "1.10"),
        (True, "it is true"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("contains", argument, text).passed


def test_says_what_is_missing() -> None:
    assert score("contains", ["a", "refund", "week"], "a day").reason == (
        "'refund' is not in the answer; 'week' is not in the answer"
    )


@pytest.mark.parametrize("argument", [None, "", [], [""], {"a": 1}, [["a"]], [None]])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match="give a text"):
        score("contains", argument, "x")
