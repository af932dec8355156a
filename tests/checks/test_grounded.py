from __future__ import annotations

import time

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score

DOCUMENT = """Ada Lovelace (1815-1852) worked with Charles Babbage on the Analytical Engine. She wrote: “The Engine
weaves algebraic patterns.” The machine cost £17,000 and 0.5% more. It was shown in London on 3 March 1833."""
VARIABLES: dict[str, Json] = {"document": DOCUMENT, "other": {"notes": ["Alan Turing", 1912]}}


def reason(text: str, argument: Json = None) -> str:
    return score("grounded", argument, text, variables=VARIABLES).reason


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace worked with Charles Babbage.",
        "The machine cost 17000 pounds, 17.000 in all [2].",
        "Nothing here is a fact.",
        "1. Babbage\n2. Lovelace\n3. Somebody",
        "In London, however, I think it was shown in 1833.",
        "Lovelace's machine; BABBAGE’S too",
        "She wrote “the engine  weaves ALGEBRAIC patterns”.",
        'She wrote "The Engine … patterns."',
        "Turing was born in 1912",
        "",
        "Yes. No. Perhaps.",
    ],
)
def test_passes(text: str) -> None:
    assert reason(text) == ""


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("It cost 18,000.", "18000"),
        ("It was built by Konrad Zuse.", "'Konrad Zuse'"),
        ("Paris", "'Paris'"),
        ("Konrad Zuse", "'Konrad Zuse'"),
        ("He met Zuse. Zuse was there.", "'Zuse'"),
        ("The Eiffel Tower", "'The Eiffel Tower'"),
        ("She wrote “engines are bad”.", "'engines are bad'"),
        ("Ada Byron wrote it, says Ada Byron.", "'Ada Byron'"),
        ("In 1834 Babbage went to Rome", "1834, 'Rome'"),
    ],
)
def test_says_what_does_not_occur(text: str, absent: str) -> None:
    assert reason(text) == f"not in the input: {absent}"


def test_only_the_named_values_are_looked_into() -> None:
    assert reason("It was Turing.", "document") == "not in the input: 'Turing'"
    assert reason("It was Turing.", ["other"]) == ""
    assert reason("x", "text") == "the case has no value 'text'"


def test_only_the_named_kinds_are_looked_at() -> None:
    text = "Zuse said “hello there” in 1941"
    assert reason(text, {"look at": "numbers"}).endswith(": 1941")
    assert reason(text, {"look at": ["quotations"]}).endswith(": 'hello there'")


def test_the_value_is_the_share_that_occurs() -> None:
    assert score("grounded", None, "In 1833, 1834, 1815 and 1852", variables=VARIABLES).value == 0.75
    assert score("grounded", {"at least": "70%"}, "In 1833, 1834, 1815 and 1852", variables=VARIABLES).passed


@pytest.mark.parametrize(
    "argument", [{"look at": []}, {"look at": "figures"}, {"in": []}, {"at least": 0}, {"at": "x"}]
)
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"look at|give a text|at least|option"):
        reason("x", argument)


@pytest.mark.parametrize("text", ["Aa ", '"aa" ', '"aa{}" ', "A.\n", "“", "[", "1) ", "17,000 "])
def test_takes_bounded_time(text: str) -> None:
    long = "".join(text.replace("{}", str(number)) for number in range(90_000 // len(text)))
    began = time.perf_counter()
    reason(long)
    assert time.perf_counter() - began < 10


# Questions with answers that are pieces of a paragraph, from SQuAD 2.0.
