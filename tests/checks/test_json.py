from __future__ import annotations

import pytest

from promptbench.core.types import Json, Rung
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
