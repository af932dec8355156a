from __future__ import annotations

import time

import pytest

from promptbench.core.types import Json
from promptbench.yaml.marked import WrittenNumber
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (["a", "b"], '["b", "a"]'),
        (["a", "b"], "b, a"),
        (["a", "b"], "- b\n- a\n"),
        (["a", "b"], "1. b\n2) a"),
        (["a, b", "c"], "c\na, b"),
        (["a", "b"], "a; b"),
        (["5"], "- 5"),
        (["a"], "a"),
        ([], "[]"),
        ([], ""),
        ([1, True, None, "1", WrittenNumber("1.50")], '["1", null, "1.50", true, 1.0]'),
        ([1, True], "true, 1"),
        ([{"a": 1}, [2]], '[[2], {"a": 1.0}]'),
        ({"is": ["Refund"], "ignore": "case"}, '["REFUND"]'),
        ({"is": ["A", "B"], "at": "order.items[*].sku"}, '{"order": {"items": [{"sku": "B"}, {"sku": "A"}]}}'),
        ({"is": ["a", "b"], "at": "tags"}, '{"tags": "a, b"}'),
        ({"is": [5], "at": "n"}, '{"n": 5}'),
        ({"is": ["a", "b", "c"], "at least": "80%"}, "a, b"),
    ],
)
def test_passes(argument: Json, text: str) -> None:
    assert score("set", argument, text).reason == ""


@pytest.mark.parametrize(
    ("argument", "text", "reason", "value"),
    [
        (["a", "b", "c"], "a, d", "missing 'b', 'c'; unexpected 'd'", 0.4),
        (["a", "a"], "a", "missing 'a'", 2 / 3),
        (["a"], "a, a, a", "unexpected 2 × 'a'", 0.5),
        ([1], "[true]", "missing 1; unexpected true", 0),
        (["1"], "[1]", "missing '1'; unexpected 1", 0),
        (["a"], "", "missing 'a'", 0),
        (["a"], '{"a": 1}', "expected a list, got {\"a\":1}: 'at' says where in it the list is", 0),
        ({"is": ["a"], "at": "x"}, "{}", "x is missing", 0),
        ({"is": ["a", "b"], "at least": 0.9}, "a", "missing 'b' (score 0.67, needs 0.90)", 2 / 3),
    ],
)
def test_says_what_is_missing_and_what_is_too_much(argument: Json, text: str, reason: str, value: float) -> None:
    result = score("set", argument, text)
    assert result.reason == reason
    assert result.value == pytest.approx(value)


@pytest.mark.parametrize("argument", [None, "a", {}, {"is": "a"}, {"is": ["a"], "at least": 2}, {"a": 1}])
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match=r"list|at least|option"):
        score("set", argument, "a")


def test_many_items_take_linear_time() -> None:
    items = [f"item {number}" for number in range(20_000)]
    began = time.perf_counter()
    assert score("set", items, "\n".join(reversed(items))).passed
    assert time.perf_counter() - began < 10
