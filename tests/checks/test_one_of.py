from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(("argument", "text"), [(["a", "b"], " b\n"), ([1, True], "true"), ([" a "], "a")])
def test_passes(argument: Json, text: str) -> None:
    assert score("one of", argument, text).passed


def test_the_whole_answer_counts() -> None:
    assert score("one of", ["a", "b"], "a b").reason == "the answer is 'a b', none of 'a', 'b'"


@pytest.mark.parametrize("argument", ["a", [], None, [None], [{"a": 1}]])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match="list of texts"):
        score("one of", argument, "x")
