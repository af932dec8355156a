from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.checks import plugins
from promptbench.core.protocols import Check, CheckContext
from promptbench.core.types import Json, Rung
from promptbench.engine.prepare.evaluate import evaluate


def built(name: str, argument: Json) -> Check:
    check: Check = plugins.load(name).build(argument, CheckContext(Path()))
    return check


@pytest.mark.parametrize(
    ("name", "argument", "text"),
    [
        ("set", ["a", "b"], "a, b"),
        ("set", ["a", "b"], "a, c"),
        ("list", ["a"], '["a"]'),
        ("function call", [], "no function fits"),
        ("number", 5, "5 EUR"),
        ("answerable", "no", "unknown"),
    ],
)
def test_who_was_not_asked_for_json_has_no_fault_in_the_format(name: str, argument: Json, text: str) -> None:
    assert evaluate(text, [built(name, argument)], Rung.EXTRACTED, {}).rung is None


def test_a_place_in_json_asks_for_json() -> None:
    check = built("set", {"is": ["a"], "at": "x"})
    assert evaluate("a", [check], Rung.EXTRACTED, {}).rung is Rung.NONE


@pytest.mark.parametrize(
    ("text", "rung"),
    [
        ("[f()]", Rung.RAW),
        ("Here: [f()]", Rung.EXTRACTED),
        ('```\n{"name": "f", "arguments": {}}\n```', Rung.EXTRACTED),
        ("[f(a=x)]", Rung.REPAIRED_RISKY),
        ('{"a": [1]}', Rung.NONE),
        ("no function fits", Rung.NONE),
    ],
)
def test_calls_have_a_rung_of_their_own(text: str, rung: Rung) -> None:
    found = evaluate(text, [built("function call", [{"f": {}}])], Rung.EXTRACTED, {})
    assert (found.rung, found.well_formed) == (rung, rung.within(Rung.EXTRACTED))
