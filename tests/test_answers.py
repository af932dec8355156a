"""`read_answer`: the ladder inside an application."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel

from promptbench.answers import read_answer
from promptbench.core.types import Rung
from promptbench.plugins import RepairSpec

SCHEMA = {"type": "object", "properties": {"team": {"type": "string"}}, "required": ["team"]}
ARROW = RepairSpec(
    name="arrow",
    trust="safe",
    repair=lambda text: text.replace('" =>', '":'),
    examples={'{"a" => 1}': {"a": 1}},
    unchanged=["{}"],
)


def raising(text: str) -> str:
    raise SystemError(text)


@given(st.text(st.characters()))
def test_no_text_raises(text: str) -> None:
    answer = read_answer(text, SCHEMA, rules=[ARROW])
    assert (answer.rung is Rung.NONE) == (answer.error is not None)
    assert not answer.valid or "team" in answer.value


def test_value_rung_repairs_and_schema_error() -> None:
    answer = read_answer('```json\n{"team": 7,}\n```', SCHEMA)
    assert (answer.value, answer.rung, answer.valid) == ({"team": 7}, Rung.REPAIRED_SAFE, False)
    assert [repair.name for repair in answer.repairs] == ["fence", "trailing_comma"]
    assert answer.schema_error == read_answer('{"team": 7}', SCHEMA).schema_error
    assert "team" in (answer.schema_error or "")
    assert read_answer('{"team": "billing"}', SCHEMA).valid
    assert read_answer("Sorry!").error


def test_a_string_that_contains_json_is_raw_for_a_schema_that_wants_a_string() -> None:
    text = json.dumps("[1, 2]")
    assert (read_answer(text, {"type": "string"}).value, read_answer(text, {"type": "array"}).value) == (
        "[1, 2]",
        [1, 2],
    )
    assert (read_answer(text, {"type": "string"}).rung, read_answer(text).rung) == ("raw", "repaired_safe")


def test_a_pydantic_model_is_a_schema() -> None:
    class Route(BaseModel):
        team: str

    assert read_answer('{"team": "billing"}', Route).valid
    assert not read_answer("{}", Route).valid


def test_an_invalid_schema_raises_whatever_the_text_is() -> None:
    with pytest.raises(ValueError, match="unknown type 'strnig'"):
        read_answer("no data", {"type": "strnig"})


def test_own_rules_are_counted_like_built_in_repairs() -> None:
    answer = read_answer('{"team" => "billing",}', SCHEMA, rules=[ARROW])
    assert (answer.value, answer.rung) == ({"team": "billing"}, Rung.REPAIRED_SAFE)
    assert (answer.repairs[0].name, answer.repairs[0].position) == ("arrow", 7)


def test_a_rule_that_raises_is_skipped() -> None:
    broken = RepairSpec(name="broken", trust="safe", repair=raising, examples={"a": 1}, unchanged=["b"])
    assert read_answer('{"a" => 1}', rules=[broken, ARROW]).value == {"a": 1}


def test_without_a_schema_only_the_standard_library_is_imported() -> None:
    code = (
        "import sys\nfrom promptbench.answers import read_answer\nfrom promptbench.recording import record_call\n"
        "read_answer('{}')\n"
        "print(sorted(n for n in ('jsonschema', 'pydantic', 'regex', 'yaml', 'sqlite3') if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
