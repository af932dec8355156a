from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings, strategies as st

from promptbench.checks.count import KINDS, sections
from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ({"of": "words", "at least": 2, "at most": 3}, "one two three"),
        ({"of": "words", "more than": 2}, "one two three"),
        ({"of": "words", "less than": "4"}, "one two three"),
        ({"of": "words", "exactly": 0}, ""),
        ({"Of": "Capital-Words", "exactly": 1}, "OK, fine"),
        ({"of": "characters", "at_most": 5}, "héllo"),
        ({"of": 'word "cat"', "exactly": 2}, "Cat, concat cat's category"),
        ({"of": "word New York", "exactly": 1}, "in new york, New Yorker"),
        ({"of": "text cat", "exactly": 4}, "Cat, concat cat's category"),
        ({"of": "text banana split", "exactly": 1}, "a banana split"),
        ({"of": "text '", "exactly": 1}, "it's"),
        ({"of": "letter E", "exactly": 3}, "eEé e"),
        ({"of": "letter ,", "exactly": 1}, "a, b"),
        ({"of": "sections Day", "exactly": 2}, "Day 1: a\nDay2 b\nday 3"),
        ({"of": "section Day", "exactly": 1}, "Day 12"),
        ({"of": "paragraphs", "exactly": 2}, "a\nb\n\n \n\nc"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("count", argument, text).passed


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        ({"of": "words", "at least": 3}, "one two", "words: expected at least 3, got 2"),
        (
            {"of": "words", "at most": 9, "at least": 3},
            "one two",
            "words: expected at least 3 and at most 9, got 2",
        ),
        ({"of": "word cat", "exactly": 1}, "dog", "'cat': expected exactly 1, got 0"),
        ({"of": "sections Day", "more than": 1}, "Day 1", "'Day' sections: expected more than 1, got 1"),
    ],
)
def test_says_how_many_there_are(argument: Json, text: str, reason: str) -> None:
    assert score("count", argument, text).reason == reason


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (None, "say what is counted and how many"),
        (5, "say what is counted and how many"),
        ("words", "say what is counted and how many"),
        ({"at least": 3}, "say what is counted"),
        ({"of": "words"}, "say how many"),
        ({"of": None, "at least": 1}, "'of': expected what is counted"),
        ({"of": {"word": "a"}, "at least": 1}, "expected what is counted"),
        ({"of": "wrods", "at least": 1}, "did you mean 'words'"),
        ({"of": "word", "at least": 1}, "say which word, for example 'of: word banana'"),
        ({"of": "sections", "at least": 1}, "say which sections"),
        ({"of": "letters e", "at least": 1}, "did you mean 'letter e'"),
        ({"of": "letter ee", "at least": 1}, "'ee' is not one letter: write 'of: text ee'"),
        ({"of": "apples", "at least": 1}, "cannot be counted"),
        ({"of": "words", "atleast": 3}, "did you mean 'at least'"),
        ({"of": "words", "at least": "many"}, "expected a number"),
        ({"of": "words", "at least": -1}, "expected a whole number"),
        ({"of": "words", "at least": 1.5}, "expected a whole number"),
        ({"of": "words", "at least": True}, "expected a number"),
        ({"of": "words", "exactly": 3, "at most": 5}, "'exactly' excludes"),
        ({"of": "words", "at least": 5, "at most": 3}, "no number is at least 5 and at most 3"),
        ({"of": "words", "less than": 0}, "no number is less than 0"),
    ],
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        score("count", argument, "x")


def _bullets(text: str) -> int:
    stars = re.findall(r"^\s*\*[^\*].*$", text, flags=re.MULTILINE)
    return len(stars) + len(re.findall(r"^\s*-.*$", text, flags=re.MULTILINE))


def _highlights(text: str) -> int:
    single = [match for match in re.findall(r"\*[^\n\*]*\*", text) if match.strip("*").strip()]
    double = [match for match in re.findall(r"\*\*[^\n\*]*\*\*", text) if match[2:-2].strip()]
    return len(single) + len(double)


def _titles(text: str) -> int:
    return sum(bool(title.lstrip("<").rstrip(">").strip()) for title in re.findall(r"<<[^\n]+>>", text))


# The patterns as published, whose time is quadratic in the answer.
PUBLISHED: dict[str, Callable[[str], int]] = {
    "words": lambda text: len(re.findall(r"\w+", text)),
    "bullets": _bullets,
    "placeholders": lambda text: len(re.findall(r"\[.*?\]", text)),
    "highlights": _highlights,
    "titles": _titles,
    "paragraphs": lambda text: sum(bool(part.strip()) for part in re.split(r"\n\n", text)),
}


@pytest.mark.parametrize("kind", PUBLISHED)
@settings(deadline=None)
@given(text=st.text(st.sampled_from("*-[]<> \n\r\t\x0b\x85\u2028\u00a0a1_")) | st.text())
@example(text="*\n* a")
@example(text="*\n\n* a\n\n")
@example(text="<<<>>>>")
def test_counts_what_the_published_pattern_counts(kind: str, text: str) -> None:
    assert KINDS[kind](text) == PUBLISHED[kind](text)


@settings(deadline=None)
@given(text=st.text(st.sampled_from("ab1 \n\t")))
def test_counts_the_sections_of_the_published_pattern(text: str) -> None:
    assert sections("ab")(text) == len(re.split(r"\s?ab\s?\d+\s?", text)) - 1


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        (" \n", 0),
        ("No mark at all", 1),
        ("One. Two! Three? Four", 4),
        ("Really?! Yes... No.", 2),
        ("It goes on... But then it ends.", 2),
        ("Dr. Smith met Mrs. Jones at 5 p.m. in St. Paul.", 1),
        ("We met at 5 p.m. The end.", 2),
        ("J. R. R. Tolkien wrote it. It is long.", 2),
        ("Use a list, e.g. this one, i.e. a short one.", 1),
        ("Bread, milk, etc. are there. Bread, etc. Bananas too.", 3),
        ("Version 3.14 is at www.example.com. Get it.", 2),
        ("1. First.\n2. Second.", 4),
        ("in 1999. after that", 1),
        ('He said "Stop." Then he left.', 2),
        ("(One.) Two.", 2),
        ("“One.” “Two.”", 2),
        ('"', 1),
        ("A line\nand another\n\nand one more", 1),
        ("**Bold.** Next.", 2),
        ("好的。谢谢！再见", 3),
        ("नमस्ते। आप कैसे हैं?", 2),
        ("你好。」她说。", 2),
        ("\ud800. \ud801!", 2),
    ],
)
def test_sentences(text: str, number: int) -> None:
    assert KINDS["sentences"](text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("NASA and the US", 2),
        ("I'm sure I’ll go", 2),
        ("IT'S and it's", 2),
        ("CAN'T CANNOT", 4),
        ("GONNA WANNA GO", 5),
        ("Y'ALL, O'NEIL", 2),
        ("U.S.A. e.g. A.", 2),
        ("X-RAY AND/OR 3D", 3),
        ("**BOLD** (A) [B] {C} <D> A&B", 7),
        ("WAIT...NO--YES—OK", 4),
        ("10:30AM A:B a,B", 4),
        ("'ROCK' ROCK'N'ROLL", 2),
        ("WE DON'T.", 3),
        ("ÄÖ ΣΑ 漢字 123", 2),
        ("Dž DŽ", 1),
    ],
)
def test_capital_words(text: str, number: int) -> None:
    assert KINDS["capital words"](text) == number
