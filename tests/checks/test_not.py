from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


def test_turns_a_check_round() -> None:
    assert score("not", {"regex": "[0-9]{16}"}, "no card").passed
    result = score("not", {"regex": "[0-9]{4}"}, "1234")
    assert result.reason == 'the answer passes {"regex":"[0-9]{4}"}, but must not'
    assert result.value == 0


def test_takes_a_name_alone() -> None:
    assert score("not", "json", "text").passed
    assert score("not", ["json"], "{}").reason == "the answer passes 'json', but must not"


@pytest.mark.parametrize("argument", [None, [], ["json", "json"], "jsn", {"contains": []}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"check|contains"):
        score("not", argument, "x")
