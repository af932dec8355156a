from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.checks._reading import READINGS, Loose, Strict
from promptbench.core.protocols import Subject
from promptbench.core.types import Rung, Score
from promptbench.parsing.json_text import read
from tests.helpers.subjects import subject


@dataclass(frozen=True, slots=True)
class Is:
    """Passes on exactly this text; its value is the share of characters in common at the start."""

    wanted: str

    def score(self, subject: Subject) -> Score:
        same = 0
        for one, other in zip(subject.text, self.wanted, strict=False):
            if one != other:
                break
            same += 1
        passed = subject.text == self.wanted
        value = 1.0 if passed else same / max(len(self.wanted), len(subject.text), 1)
        return Score("is", passed, value, "" if passed else f"it is {subject.text!r}")


@dataclass(frozen=True, slots=True)
class ReadsAs:
    """Passes when the answer reads as this value on the first rung."""

    wanted: object

    def score(self, subject: Subject) -> Score:
        reading = subject.read()
        passed = reading.rung is Rung.RAW and reading.value == self.wanted
        return Score("reads as", passed, float(passed), "" if passed else "it does not")


@dataclass(slots=True)
class Seen:
    """Remembers what it was asked about, and passes nothing."""

    texts: list[str]

    def score(self, subject: Subject) -> Score:
        self.texts.append(subject.text)
        return Score("seen", False, 0.0, "no")


ANSWER = "*Sure!*\n\n the **text** \n\nBye *"


@pytest.mark.parametrize(
    "version",
    [
        ANSWER,
        "Sure!\n\n the text \n\nBye ",
        "the **text** \n\nBye *",
        "the text \n\nBye ",
        "*Sure!*\n\n the **text**",
        "Sure!\n\n the text",
        "the **text**",
        "the text",
    ],
)
def test_one_of_eight_versions_is_enough(version: str) -> None:
    assert Loose(Is(version)).score(subject(ANSWER)).passed
    assert Strict(Is(version)).score(subject(ANSWER)).passed == (version == ANSWER)


def test_no_other_version_is_looked_at_and_none_twice() -> None:
    seen = Seen([])
    Loose(seen).score(subject("a"))
    assert seen.texts == ["a"]
    seen.texts.clear()
    Loose(seen).score(subject("a\nb\nc"))
    assert seen.texts == ["a\nb\nc", "b\nc", "a\nb", "b"]


def _published(answer: str) -> list[str]:
    lines = answer.split("\n")
    rest = ["\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip(), "\n".join(lines[1:-1]).strip()]
    versions = [answer, *rest]
    return [version for version in (*versions, *(one.replace("*", "") for one in versions)) if version.strip()]


@settings(deadline=None)
@given(answer=st.text(st.sampled_from("*a \n\r"), max_size=20))
def test_the_versions_are_the_published_ones(answer: str) -> None:
    seen = Seen([])
    Loose(seen).score(subject(answer))
    assert {text for text in seen.texts if text.strip()} == set(_published(answer))


def test_the_reason_is_that_of_the_answer_as_it_is_and_the_value_the_best() -> None:
    score = Loose(Is("text!")).score(subject("Sure\n*text*"))
    assert not score.passed
    assert score.value == 0.8
    assert score.reason == "it is 'Sure\\n*text*'"


@pytest.mark.parametrize("text", ["", " \n", "\u2028"])
@pytest.mark.parametrize("reading", READINGS)
def test_an_empty_answer_follows_nothing(text: str, reading: str) -> None:
    score = READINGS[reading](Is(text)).score(subject(text))
    assert score == Score("is", False, 0.0, "the answer is empty")


def test_a_version_is_read_as_data_by_itself() -> None:
    check = Loose(ReadsAs({"a": 1}))
    assert check.score(subject('Here:\n{"a": 1}')).passed
    assert check.score(subject('**{"a": 1}**')).passed
    assert not check.score(subject('Here: {"a": 1}')).passed
    answer = Subject('Here:\n{"a": 2}', lambda: read("1"), Rung.RAW, {})
    assert not check.score(answer).passed
