from __future__ import annotations

import time

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


def test_searches_the_answer_without_the_space_around_it() -> None:
    assert score("regex", "^[A-Z]-[0-9]{4}$", " A-1234\n").passed
    assert score("regex", "[0-9]{4}", "it is 1234.").passed


def test_says_what_does_not_match() -> None:
    assert score("regex", "^a$", "b").reason == "'^a$' does not match in 'b'"


def test_a_search_without_end_is_stopped() -> None:
    began = time.perf_counter()
    assert "took too long" in score("regex", "^(a|a)*$", "a" * 200 + "b").reason
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize("argument", [None, "", 7, "(", "[a", "a{99999999999999999999}", "(?P<x", "(" * 5000, ["a"]])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match="pattern"):
        score("regex", argument, "x")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a{1000000000}", "too large"),
        ("((?:ab){1000,}c){1000}", "too large"),
        ("[)}]{300000}", "too large"),
        ("(?R)", "refers to itself or to a group: \\(\\?R\\)"),
        ("(a|(?1))b", "refers to itself"),
        ("(?P<x>a(?&x))", "refers to itself"),
    ],
)
def test_refuses_what_would_take_all_memory(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        score("regex", pattern, "x")


@pytest.mark.parametrize(
    "pattern", ["a{0,1000000000}", r"\(\?R\)", r"\{300000\}", "[(?R)]{3}", "(a{9}b){9}", "x{300000"]
)
def test_takes_what_only_looks_large(pattern: str) -> None:
    assert score("regex", f"(?:{pattern})?", "x").passed
