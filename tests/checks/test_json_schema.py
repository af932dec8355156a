from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from promptbench.checks import plugins
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json, Rung
from tests.helpers.subjects import score

TEAM: dict[str, Any] = {
    "type": "object",
    "properties": {"team": {"enum": ["billing", "delivery"]}, "order": {"type": ["string", "null"]}},
    "required": ["team"],
    "additionalProperties": False,
}


def reason(schema: Json, text: str) -> str:
    return score("json schema", schema, text).reason


@pytest.mark.parametrize(
    "text", ['{"team": "billing"}', '{"team": "delivery", "order": null}', '```\n{"team": "billing"}\n```']
)
def test_passes(text: str) -> None:
    assert reason(TEAM, text) == ""


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        (TEAM, "[]", "the answer is [], not object"),
        (TEAM, "{}", "the answer lacks 'team'"),
        (TEAM, '{"team": "sales"}', """team is 'sales', none of ["billing","delivery"]"""),
        (TEAM, '{"team": "billing", "order": 1}', "order is 1, not string or null"),
        (TEAM, '{"team": "billing", "why": 1}', "the answer has 'why', which the schema does not allow"),
        ({"items": {"type": "integer"}}, '[1, "a"]', "1 is 'a', not integer"),
        ({"minItems": 2}, "[1]", "the answer has 1 items, not at least 2"),
        ({"uniqueItems": True}, "[1, 1.0]", "the answer repeats an item"),
        ({"pattern": "^a$"}, '"b"', "the answer: 'b' does not match '^a$'"),
        (False, "1", "the answer: False schema does not allow 1"),
    ],
)
def test_says_what_does_not_fit(schema: Json, text: str, said: str) -> None:
    assert reason(schema, text) == said


def test_reads_at_the_accept_level() -> None:
    assert "only readable after repair" in score("json schema", {}, "```\n{}\n```", accept=Rung.RAW).reason


def test_output_is_the_prompts_own_schema() -> None:
    assert not score("json schema", "output", "[]", output=TEAM).passed
    with pytest.raises(ValueError, match="no output schema"):
        score("json schema", "output", "[]")


def test_a_file_beside_the_suite(tmp_path: Path) -> None:
    (tmp_path / "team.json").write_text(json.dumps(TEAM), encoding="utf-8")
    assert not score("json schema", "team.json", "[]", folder=tmp_path).passed


def test_the_fingerprint_follows_the_file(tmp_path: Path) -> None:
    seen = []
    for text in ("{}", '{"type": "object"}', "{"):
        (tmp_path / "team.json").write_text(text, encoding="utf-8")
        seen.append(plugins.load("json schema").fingerprint("team.json", CheckContext(tmp_path)))
    assert seen[0] != seen[1]
    assert seen[2] is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.json", "there is no file"),
        ("folder.json", "cannot be read"),
        ("broken.json", "is not JSON"),
        ("latin.json", "is not UTF-8"),
        ("list.json", "is not a JSON Schema"),
        ("number.json", "is not a JSON Schema"),
        ("nan.json", "NaN is not a number of JSON"),
        ("deep.json", "nested too deeply"),
        ("../up.json", "below the suite's folder"),
        ("..\\up.json", "below the suite's folder"),
        ("/etc/up.json", "below the suite's folder"),
        ("link.json", "below the suite's folder"),
        ("loop.json", "cannot be"),
        ("a\0.json", "cannot be the name"),
        ("x" * 5000 + ".json", "cannot be read"),
        ("schema.yaml", "write 'output'"),
    ],
)
def test_files_that_are_refused(name: str, said: str, tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    (folder / "folder.json").mkdir(parents=True)
    for path, content in {
        "suite/broken.json": b"{",
        "suite/latin.json": b'{"description": "caf\xe9"}',
        "suite/list.json": b"[1]",
        "suite/number.json": b"5",
        "suite/nan.json": b'{"minimum": NaN}',
        "suite/deep.json": b'{"items": ' * 3000 + b"{}" + b"}" * 3000,
        "up.json": b"{}",
    }.items():
        (tmp_path / path).write_bytes(content)
    (folder / "link.json").symlink_to(tmp_path / "up.json")
    (folder / "loop.json").symlink_to(folder / "loop.json")
    with pytest.raises(ValueError, match=said):
        score("json schema", name, "1", folder=folder)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "objekt"}, "'objekt' is not a type"),
        ({"required": "team"}, "at required"),
        ({"$ref": "https://elsewhere/x"}, "nothing is fetched"),
        ({"$ref": "#/$defs/x"}, "leads nowhere"),
        ({"$schema": "https://elsewhere/x"}, "not one that is known"),
        ({"$schema": 5}, "not one that is known"),
        ({"pattern": "("}, "pattern"),
        ({"patternProperties": {"[": {}}}, "atternProperties"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "not supported"),
        (7, "write 'output'"),
        (None, "write 'output'"),
    ],
)
def test_schemas_that_are_refused(schema: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("$", r"\$")):
        reason(schema, "1")


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"$ref": "#"}, "1"),
        ({"$ref": "#nowhere"}, "1"),
        ({"items": {"$ref": "#"}}, "[" * 250 + "]" * 250),
        ({"$schema": "http://json-schema.org/draft-03/schema#", "properties": {"a": {"required": True}}}, "{}"),
    ],
)
def test_a_schema_that_cannot_be_followed_fails_and_does_not_raise(schema: Json, text: str) -> None:
    assert not score("json schema", schema, text).passed


def test_names_that_look_like_keywords_are_properties() -> None:
    schema = {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}}
    assert reason(schema, '{"$ref": "a", "pattern": "b"}') == ""


def test_equal_items_are_what_json_schema_calls_equal() -> None:
    assert reason({"uniqueItems": True}, '[1, true, "1", [1], [true], {"a": 1}, {"a": true}, null, 0, false]') == ""
    assert reason({"uniqueItems": True}, '[{"a": 1, "b": [1]}, {"b": [1.0], "a": 1}]') != ""
    assert reason({"uniqueItems": False}, "[1, 1]") == ""


def test_keys_by_pattern() -> None:
    schema = {
        "properties": {"known": {}},
        "patternProperties": {"^x-": {"type": "string"}},
        "additionalProperties": {"type": "integer"},
    }
    assert reason(schema, '{"known": [], "x-a": "b", "other": 1}') == ""
    assert reason(schema, '{"x-a": 1}') == "x-a is 1, not string"
    assert reason(schema, '{"other": "b"}') == "other is 'b', not integer"


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"pattern": "^(a|a)*$"}, json.dumps("a" * 200 + "b")),
        ({"patternProperties": {"^(a|a)*$": {}}, "additionalProperties": False}, json.dumps({"a" * 200 + "b": 1})),
        ({"uniqueItems": True}, json.dumps([{"a": number} for number in range(20_000)])),
    ],
)
def test_takes_bounded_time(schema: Json, text: str) -> None:
    began = time.perf_counter()
    score("json schema", schema, text)
    assert time.perf_counter() - began < 10
