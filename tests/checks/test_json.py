from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.checks import plugins
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json, Rung
from promptbench.engine.prepare.evaluate import evaluate
from tests.helpers.subjects import score


def test_the_accept_level_decides() -> None:
    text = '```json\n{"a": 1}\n```'
    assert score("json", None, text).passed
    assert score("json", None, text, accept=Rung.RAW).reason == (
        "only readable after repair (fence), and the suite accepts 'raw'"
    )


def test_says_why_it_is_not_json() -> None:
    assert score("json", None, "I think it is billing.").reason.startswith("not JSON: ")


@pytest.mark.parametrize(
    "text", ['{"a": 1}', '```json\n{"a": 1}\n```', "```\n[1]```", ' "text" \n', '{"a": 1, "a": 2}', "```Json 3```"]
)
@pytest.mark.parametrize("accept", [Rung.RAW, Rung.EXTRACTED])
def test_alone(text: str, accept: Rung) -> None:
    assert score("json", "alone", text, accept=accept).passed


@pytest.mark.parametrize("text", ['Here: {"a": 1}', '{"a": 1} Done', "```python\n{}\n```", "{'a': 1}", "NaN", ""])
def test_not_alone(text: str) -> None:
    assert score("json", "alone", text, accept=Rung.REPAIRED_SAFE).reason == "the answer is not JSON alone"


def test_nested_without_end() -> None:
    assert score("json", "alone", "[" * 100_000).reason.startswith(("not JSON", "the answer is not JSON"))


@pytest.mark.parametrize("argument", ["yes", True, {}, ["alone"]])
def test_takes_no_other_argument(argument: Json) -> None:
    with pytest.raises(ValueError, match="has no options"):
        score("json", argument, "{}")


@pytest.mark.parametrize(
    ("checks", "rung"),
    [
        ([("json", None)], Rung.RAW),
        ([("json schema", {"type": "string"})], Rung.RAW),
        ([("json schema", {"type": "array"})], Rung.REPAIRED_SAFE),
        ([("expect", [1, 2])], Rung.REPAIRED_SAFE),
        ([("json schema", {"type": "array"}), ("function call", {"name": "f"})], Rung.REPAIRED_SAFE),
    ],
)
def test_a_string_that_contains_json_is_raw_for_whom_wants_a_string(checks: list[tuple[str, Json]], rung: Rung) -> None:
    context = CheckContext(Path())
    built = [plugins.load(name.replace(" ", "_")).build(argument, context) for name, argument in checks]
    found = evaluate('"[1, 2]"', built, Rung.RAW, {})
    assert (found.rung, found.well_formed) == (rung, rung is Rung.RAW)
    assert found.passed == (rung is Rung.RAW)
