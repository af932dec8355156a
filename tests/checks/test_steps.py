from __future__ import annotations

from typing import Any

import pytest

from promptbench.core.types import CallFacts, ToolCall
from tests.helpers.subjects import score

MADE = (
    ToolCall("find_order", '{"number": "8812"}'),
    ToolCall("find_customer", "{}"),
    ToolCall("refund", '{"number": "8812", "amount": 5}'),
)


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        (["find_order", "refund"], ""),
        ("refund", ""),
        ({"order": [{"name": "refund", "arguments": {"amount": 5.0}}], "never": ["delete"], "steps": 3}, ""),
        ({"count": {"refund": 1, "delete": 0, "find_order": {"at least": 1}}, "steps": {"at most": 3}}, ""),
        ({"never": [{"name": "refund", "arguments": {"amount": 50}}]}, ""),
        (
            ["refund", "find_order"],
            "calls: expected find_order after refund, got find_order, find_customer, refund",
        ),
        (["refund", "refund"], "calls: expected refund after refund, got find_order, find_customer, refund"),
        (
            [{"name": "refund", "arguments": {"amount": 50}}],
            "calls: expected refund(amount=50), got find_order, find_customer, refund",
        ),
        ({"never": ["refund", "find_order"]}, "refund must not be called"),
        (
            {"never": {"name": "refund", "arguments": {"amount": 5}}},
            "refund must not be called with these arguments",
        ),
        ({"count": {"refund": {"at least": 2}}}, "calls of refund: expected at least 2, got 1"),
        ({"steps": {"at most": 2}}, "steps: expected at most 2, got 3"),
    ],
)
def test_calls(argument: Any, reason: str) -> None:
    assert score("steps", argument, "Done.", call=CallFacts(calls=MADE, steps=3)).reason == reason


def test_a_logged_answer_is_one_step() -> None:
    assert score("steps", {"never": ["delete"], "steps": 1}, "Done.").passed
    logged = '[{"name": "delete", "arguments": {}}]'
    assert score("steps", {"never": ["delete"]}, logged).reason == "delete must not be called"
    assert score("steps", ["delete"], "Done.").reason == "calls: expected delete, got none"


@pytest.mark.parametrize(
    "argument", [{}, {"count": ["refund"]}, {"count": {"refund": "often"}}, [{"nam": "x"}], {"forbidden": ["x"]}, None]
)
def test_bad_arguments(argument: Any) -> None:
    with pytest.raises(ValueError, match=r"call|count|number|option|many"):
        score("steps", argument, "Done.")
