from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


def test_passes_when_none_is_there() -> None:
    assert score("not contains", ["sorry", "as an AI"], "Your refund is on its way").passed


def test_says_what_is_there_whatever_its_case() -> None:
    assert score("not contains", ["sorry", "never"], "I am SORRY.").reason == "'sorry' is in the answer"


@pytest.mark.parametrize("argument", [None, "", [], {"a": 1}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match="give a text"):
        score("not contains", argument, "x")
