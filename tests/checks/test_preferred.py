from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from promptbench.checks import preferred
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Answer, Json
from tests.helpers.judging import says
from tests.helpers.subjects import subject

JUDGE = "openai/judge-2025-01-01"
FIRST, SECOND, NEITHER = says("first", "why"), says("second", "why"), says("neither", "why")


def built(**options: Json) -> preferred.Preferred:
    given = {"judge": JUDGE, "criterion": "the kinder one", "over": "Good day", **options}
    return preferred.build(given, CheckContext(Path("/nowhere")))


def test_it_is_asked_in_both_orders() -> None:
    asked = built(sees="message").requests(subject("Hello", variables={"message": "where is it"}))
    texts = [request.messages[1].content for request in asked]
    assert [text.index("\nHello\n") < text.index("\nGood day\n") for text in texts] == [True, False]
    assert all("where is it" in text and text.index("BEGIN FIRST") < text.index("BEGIN SECOND") for text in texts)
    assert "the kinder one" in asked[0].messages[0].content
    assert "Good day" not in asked[0].messages[0].content
    assert [request.output_schema["properties"]["verdict"] for request in asked] == [  # type: ignore[index]
        {"enum": ["first", "second", "neither"]}
    ] * 2


@pytest.mark.parametrize(
    ("said", "value", "reason"),
    [
        ([FIRST, SECOND], 1.0, ""),
        ([SECOND, FIRST], 0.0, f"{JUDGE} prefers the known answer: why"),
        ([FIRST, FIRST], 0.5, f"the preference of {JUDGE} depends on which answer it sees first"),
        ([SECOND, SECOND], 0.5, f"the preference of {JUDGE} depends on which answer it sees first"),
        ([SECOND, NEITHER], 0.5, f"the preference of {JUDGE} depends on which answer it sees first"),
        ([NEITHER, NEITHER], 0.5, f"{JUDGE} has no preference: why"),
        ([FIRST, None], None, f"{JUDGE} was not called, or did not answer"),
        ([FIRST, says("pass")], None, f"{JUDGE} gives no readable verdict"),
        ([FIRST, SECOND, FIRST, SECOND, SECOND, FIRST], 2 / 3, ""),
        ([FIRST, SECOND, SECOND, FIRST], None, "no majority: 1 pass, 1 fail"),
    ],
)
def test_a_preference_counts_if_both_orders_give_it(said: list[str | None], value: float | None, reason: str) -> None:
    check = built(repeats=len(said) // 2)
    answers = [text and Answer(text, "judge") for text in said]
    found = check.conclude(subject("Hello"), answers)
    assert (found.errored, found.value) == (value is None, pytest.approx(value or 0.0))
    assert (found.passed, found.reason, found.weight) == (not reason, reason, 0.0)
    lenient = replace(check, tie_passes=True).conclude(subject("Hello"), answers)
    assert lenient.passed is (value is not None and value >= 0.5)


def test_the_known_answer_is_the_logged_one_of_the_case() -> None:
    check = built(over="was")
    asked = check.requests(replace(subject("Hello"), was="Noted"))
    assert "\nNoted\n" in asked[0].messages[1].content
    assert check.requests(replace(subject("Noted\n"), was="Noted")) == []
    same = check.conclude(replace(subject("Noted\n"), was="Noted"), [])
    assert (same.value, same.reason) == (0.5, "the answer is the known one")
    assert check.conclude(subject("Hello"), []).errored


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"over": None}, "'over' must be a text"),
        ({"criterion": " "}, "'criterion' must be a text"),
        ({"judge": "openai/gpt-latest"}, "is another model tomorrow"),
        ({"tie": "maybe"}, "'tie'"),
        ({"passes if": "x"}, "unknown option 'passes if'"),
    ],
)
def test_refuses(options: dict[str, Json], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        built(**options)


def test_every_part_makes_another_check() -> None:
    changes: list[dict[str, Json]] = [
        {"over": "was"},
        {"criterion": "b"},
        {"tie": "passes"},
        {"repeats": 2},
        {"sees": "m"},
        {"config": {}},
    ]
    assert len({built(**options).identity for options in [{}, *changes]}) == 7
