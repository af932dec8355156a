from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

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

SQUAD = Path(__file__).parents[2].parent / "shared" / "data" / "squad2" / "dev-v2.0.json"


def paragraphs() -> Iterator[tuple[str, set[str]]]:
    """Every tenth paragraph with the right answers to its questions."""
    articles = json.loads(SQUAD.read_text(encoding="utf-8"))["data"]
    every = [paragraph for article in articles for paragraph in article["paragraphs"]]
    for paragraph in every[::10]:
        yield paragraph["context"], {answer["text"] for asked in paragraph["qas"] for answer in asked["answers"]}


@pytest.mark.skipif(not SQUAD.exists(), reason="SQuAD is not on this machine")
def test_what_is_taken_from_a_text_is_grounded_in_it_and_mostly_not_in_another() -> None:
    """A few right answers end within a word or a number."""
    found = list(paragraphs())
    sentences = [re.split(r"(?<=[.!?])\s+", context) for context, _ in found]
    right = [score("grounded", None, text, variables={"text": c}).passed for c, texts in found for text in texts]
    own = [
        score("grounded", None, s, variables={"text": c[0]}).passed
        for c, said in zip(found, sentences, strict=True)
        for s in said
    ]
    others = found[len(found) // 2 :] + found[: len(found) // 2]
    strange = [
        score("grounded", None, sentence, variables={"text": context}).passed
        for (context, _), said in zip(others, sentences, strict=True)
        for sentence in said
    ]
    assert all(own)
    assert sum(right) >= 0.99 * len(right)
    assert sum(strange) <= 0.35 * len(strange)
