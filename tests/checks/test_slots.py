from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.checks import slots
from promptbench.checks.slots import Slots
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json
from tests.helpers.subjects import score

BERN = {"slot": "city", "value": "Bern", "start": 3, "end": 7}


def built(argument: Json) -> Slots:
    check = slots.build(argument, CheckContext(Path()))
    assert isinstance(check, Slots)
    return check


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ({"city": "Berlin"}, '{"city": "Berlin"}'),
        ({"city": "Berlin"}, '{"city": "Berlin", "date": null}'),
        ({"is": {"city": "Berlin"}, "at": "slots"}, '{"intent": "x", "slots": {"city": "Berlin"}}'),
        ({"is": {}, "at": "slots"}, "{}"),
        ({"is": [BERN]}, '[{"slot": "city", "value": "other", "start": 3, "end": 7}]'),
        ({"is": {"a": 1, "b": 2, "c": 3}, "at least": "60%"}, '{"a": 1, "b": 2}'),
        ({"at": "slots"}, '{"slots": {"anything": "goes where no case says what is right"}}'),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("slots", argument, text).reason == ""


@pytest.mark.parametrize(
    ("argument", "text", "reason", "value"),
    [
        ({"city": "Berlin"}, '{"city": "Bern"}', "city 'Berlin' is missing, unexpected city 'Bern'", 0),
        ({"city": "Berlin"}, '{"city": "Berlin", "date": "today"}', "unexpected date 'today'", 2 / 3),
        ({"is": {}, "at": "slots"}, '{"slots": {"a": 1}}', "unexpected a '1'", 0),
        (
            {"is": [BERN]},
            '[{"slot": "city", "start": 3, "end": 6}]',
            "city 'Bern' at 3–7 is missing, unexpected city at 3–6",
            0,
        ),
        (
            {"is": {"city": "Berlin"}},
            '{"city": {"name": 1}}',
            "the value of a slot is a text or a number, or a list of them",
            0,
        ),
        ({"is": {"a": 1, "b": 2}, "at least": 0.9}, '{"a": 1}', "b '2' is missing (score 0.67, needs 0.90)", 2 / 3),
        ({"city": "Berlin"}, "no JSON", "not JSON: there is no JSON in it", 0),
    ],
)
def test_says_what_is_missing_and_what_is_too_much(argument: Json, text: str, reason: str, value: float) -> None:
    result = score("slots", argument, text)
    assert result.value == pytest.approx(value)
    if reason.startswith("not JSON"):
        assert result.reason.startswith("not JSON")
    else:
        assert result.reason == reason


@pytest.mark.parametrize("argument", ["x", 5, [1], {"is": {"a": 1}, "att": "slots"}, {"is": {"a": 1}, "at least": 2}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"."):
        built(argument)


def test_the_case_tells_the_right_slots_at_the_same_place() -> None:
    check = built({"at": "slots"})
    informed = check.with_expected({"intent": "x", "slots": {"city": "Bern"}})
    assert informed.wanted is not None
    assert [span.value for span in informed.wanted] == ["Bern"]
    assert check.with_expected({"intent": "x", "slots": {}}).wanted == ()
    assert check.with_expected({"intent": "x"}).wanted is None
    with pytest.raises(ValueError, match="slots are written as"):
        check.with_expected({"slots": "Bern"})
