from __future__ import annotations

import time

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score

VARIABLES: dict[str, Json] = {
    "documents": [{"id": "doc-1", "text": "a"}, {"id": "doc-2"}, {"id": "the handbook"}],
    "numbered": ["first", {"text": "second"}],
    "named": {"faq": "…", "terms 2": "…"},
    "text": "[a1] First\n  [a2] Second, see [a9]\n",
}


def reason(argument: Json, text: str) -> str:
    return score("citations", argument, text, variables=VARIABLES).reason


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (None, "So it is [doc-1], [faq] and [a2]."),
        ("documents", "So [doc-1][doc-2] and [doc-1, the handbook]."),
        ("numbered", "So [1] and [2; 1]"),
        ("named", "So [faq], [terms 2]"),
        ("text", "So [a1]."),
        ("documents", "He said [sic], see [the site 2](https://example.com)"),
        ({"in": "documents", "at least": 2}, "[doc-1] [doc-2]"),
        ({"in": "numbered", "pattern": r"\(source (\w+)\)"}, "So (source 1) it (source 2) is [9]"),
        ({"in": "numbered", "pattern": r"(?<=\^)\d"}, "So^1"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert reason(argument, text) == ""


@pytest.mark.parametrize(
    ("argument", "text", "said"),
    [
        ("numbered", "[1] [3] [3]", "expected one of '1', '2', got '3'"),
        ("text", "[a9]", "expected one of 'a1', 'a2', got 'a9'"),
        ("documents", "[doc-1, doc-7]", "expected one of 'doc-1', 'doc-2', 'the handbook', got 'doc-7'"),
        ({"at least": 1}, "no source", "cited documents: expected at least 1, got 0"),
        ({"at least": 2}, "[1] [1]", "cited documents: expected at least 2, got 1"),
        ("nowhere", "[1]", "the case has no value 'nowhere'"),
    ],
)
def test_says_what_is_cited_wrongly(argument: Json, text: str, said: str) -> None:
    assert reason(argument, text) == said


def test_the_value_is_the_share_that_is_right() -> None:
    assert score("citations", "numbered", "[1] [2] [3] [4]", variables=VARIABLES).value == 0.5


@pytest.mark.parametrize(
    "argument", [{"pattern": "("}, {"pattern": ""}, {"at least": -1}, {"at least": 1.5}, {"in": ""}]
)
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"pattern|whole number|give a text"):
        reason(argument, "x")


def test_a_pattern_takes_bounded_time() -> None:
    began = time.perf_counter()
    said = reason({"pattern": "^(a|a)*$"}, "a" * 200 + "b")
    assert "took too long" in said
    assert time.perf_counter() - began < 10
