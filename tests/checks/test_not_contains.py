from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (["sorry", "as an AI"], "Your refund is on its way"),
        ({"any of": ["rate"], "whole words": True}, "separate"),
        ({"all of": ["red", "green"]}, "red only"),
        ({"any of": "Sorry", "ignore": "nothing"}, "sorry"),
        (",", "a; b"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("not contains", argument, text).passed


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        (["sorry", "never"], "I am SORRY.", "'sorry' is in the answer"),
        ({"any of": ["rate", "cheap"], "whole words": "yes"}, "rate: cheap", "'rate' is in the answer; 'cheap' is in"),
        ({"all of": ["red", "green"]}, "Green and red", "'red', 'green' are all in the answer"),
    ],
)
def test_says_what_is_there(argument: Json, text: str, reason: str) -> None:
    assert score("not contains", argument, text).reason.startswith(reason)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (None, "give a text"),
        ("", "give a text"),
        ([], "give a text"),
        ({"a": 1}, "unknown option 'a'"),
        ({}, "'any of'"),
    ],
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score("not contains", argument, "x")
