from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score

ORDER = '{"order": {"items": [{"sku": "A-17", "n": 2}], "total": 9.5}, "customer": {"name": "Ada"}, "is": 1}'


@pytest.mark.parametrize(
    "argument",
    [
        {"order.items[0].sku": "A-17", "customer.name": "Ada"},
        {"order.items[*].n": [2]},
        {"order.total": 9.5, "is": 1},
        {"customer": {"name": "Ada"}},
        {"is": {"customer.name": "ADA"}, "ignore": "case"},
        {"is": {"customer.name": "Ada", "order.total": 0}, "at least": 0.5},
    ],
)
def test_passes(argument: Json) -> None:
    assert score("fields", argument, ORDER).reason == ""


@pytest.mark.parametrize(
    ("argument", "reason", "value"),
    [
        ({"customer.name": "Bob", "order.total": 9.5}, "customer.name is 'Ada', not 'Bob'", 0.5),
        ({"order.items[1].sku": "B"}, "order.items[1] is missing", 0),
        ({"order.items[0].n": "2"}, "order.items[0].n is 2, not '2'", 0),
        ({"customer": {"name": "Ada", "age": 1}}, 'customer is {"name":"Ada"}, not {"age":1,"name":"Ada"}', 0),
        (
            {"is": {"a": 1, "b": 1, "c": 1, "d": 1, "is": 1}, "at least": "50%"},
            "a is missing; b is missing; c is missing and 1 more (0.20, not at least 0.50)",
            0.2,
        ),
    ],
)
def test_says_what_differs(argument: Json, reason: str, value: float) -> None:
    result = score("fields", argument, ORDER)
    assert result.reason == reason
    assert result.value == pytest.approx(value)


def test_needs_json() -> None:
    assert score("fields", {"a": 1}, "a is 1").reason.startswith("not JSON")


@pytest.mark.parametrize(
    "argument", [None, {}, "a", {"a..b": 1}, {"is": {}, "ignore": "case"}, {"is": {"a": 1}, "x": 1}]
)
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"field|path|option"):
        score("fields", argument, "{}")
