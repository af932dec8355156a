from __future__ import annotations

import pytest

from promptbench.core.errors import Code, Diagnostics, Severity
from promptbench.core.types import Json
from promptbench.engine.prepare.lint.lint import Overlaps
from promptbench.suite.models import Where, WrittenCheck
from tests.helpers.linted import Written, case, said

LONG = (
    "I ordered a lamp three weeks ago and it has still not come, could you please tell me where it is now, thanks: {}"
)


def told(texts: dict[str, tuple[str, Json]], argument: Json = None, name: str = "intent") -> list[str]:
    found = Diagnostics()
    overlaps = Overlaps([WrittenCheck(name, {"at": "intent"} if argument is None else argument, Where(Written()))])
    for case_name, (text, label) in texts.items():
        overlaps.look(case(case_name, text, {"intent": label}))
    overlaps.report(found)
    assert all((item.code, item.severity) == (Code.INTENTS_OVERLAP, Severity.WARNING) for item in found)
    return said(list(found))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How much do I owe?", "how much do I owe"),
        ("Cancel my order, please", "please cancel my order"),
        (LONG.format("Ada"), LONG.format("Ida")),
    ],
)
def test_two_intents_with_the_same_example_are_told(one: str, other: str) -> None:
    assert told({"a": (one, "fees"), "b": (other, "balance"), "c": ("something else", "fees")}) == [
        "the intents 'balance' and 'fees' have nearly the same examples: the cases 'a' and 'b'"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("what is my current salary", "what is my current location"),
        ("thanks for your help!", "thanks for your help, goodbye!"),
        (LONG.format("Ada"), LONG.format("Ada").replace("lamp", "chair").replace("three weeks", "a month")[:60]),
    ],
)
def test_templates_with_another_word_in_them_are_not(one: str, other: str) -> None:
    assert told({"a": (one, "x"), "b": (other, "y")}) == []


def test_one_intent_may_say_a_thing_twice() -> None:
    assert told({"a": ("cancel it", "cancel"), "b": ("cancel it", "cancel")}) == []


def test_pairs_are_counted_the_most_alike_first() -> None:
    texts = {"a": ("one", "x"), "b": ("one", "y"), "c": ("two", "x"), "d": ("two", "z"), "e": ("three", "z")}
    assert told({**texts, "f": ("three", "x")}) == [
        "the intents 'x' and 'z' have nearly the same examples: the cases 'c' and 'd', and 1 more",
        "the intents 'x' and 'y' have nearly the same examples: the cases 'a' and 'b'",
    ]


@pytest.mark.parametrize("argument", [{"at": "team"}, {"at": "["}, 5, ["x"]])
def test_without_a_label_at_the_place_nothing_is_said(argument: Json) -> None:
    assert told({"a": ("hi", "x"), "b": ("hi", "y")}, argument) == []


def test_suites_without_intents_are_not_looked_at() -> None:
    assert told({"a": ("hi", "x"), "b": ("hi", "y")}, {"at": "intent"}, "fields") == []
