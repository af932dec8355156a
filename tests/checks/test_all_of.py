from __future__ import annotations

import re
from dataclasses import replace

import pytest

from promptbench.checks import plugins
from promptbench.checks._nested import with_nested
from promptbench.core.protocols import Check, CheckContext, MissingExtra
from promptbench.core.types import Json
from tests.helpers.subjects import score


def test_all_must_hold() -> None:
    argument = [
        {"contains": "Paris"},
        {"not contains": "Lyon"},
        {"expect": {"is": {"a": 1, "b": 2}, "fields": "paths"}},
    ]
    assert score("all of", argument, '{"a": 1, "b": 2, "c": "Paris"}').passed
    result = score("all of", argument, '{"a": 1, "c": "Paris, Lyon"}')
    assert result.reason == "not contains: 'Lyon' is in the answer; expect: b is missing"
    assert result.value == pytest.approx((1 + 0 + 0.5) / 3)


def test_enough_of_a_group() -> None:
    argument: Json = {"checks": [{"contains": "a"}, {"contains": "b"}, {"contains": "c"}], "at least": "60%"}
    assert score("all of", argument, "a b").passed
    result = score("all of", argument, "a")
    assert (result.passed, result.value) == (False, pytest.approx(1 / 3))
    assert result.reason.endswith("(score 0.33, needs 0.60)")
    nested: Json = {"all of": {"checks": [{"equals": "x"}]}}
    assert [name for name, _ in with_nested("all of", nested["all of"])] == ["all of", "equals"]


def test_checks_nest() -> None:
    argument: Json = {"contains": "x"}
    for _ in range(20):
        argument = {"all of": [{"any of": [argument]}]}
    assert score("all of", [argument], "x").passed
    assert not score("all of", [argument], "y").passed


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (None, "give a list of checks"),
        ([], "give a list of checks"),
        ({"contains": "x"}, "give a list of checks"),
        ([{"contians": "x"}], "unknown check 'contians': did you mean 'contains'?"),
        (["zzz"], "unknown check 'zzz': known are "),
        ([{"regex": "("}], "regex: '(' is not a valid pattern"),
        ([{"contains": "x", "json": None}], "is not a check"),
        ([1], "1 is not a check"),
        ([{1: 2}], "unknown check '1'"),
        ([{"any of": [{"number": "x"}]}], "any of: number: 'is': expected a number, got 'x'"),
    ],
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        score("all of", argument, "x")


def test_a_missing_package_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(argument: Json, context: CheckContext) -> Check:
        raise MissingExtra("pip install it")

    spec = replace(plugins.load("contains"), build=build)
    monkeypatch.setitem(plugins._loaded, "contains", spec)
    with pytest.raises(MissingExtra, match=r"^pip install it$"):
        score("all of", [{"not": {"contains": "x"}}], "x")
