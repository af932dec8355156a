from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptbench.checks import plugins
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json, Rung
from promptbench.schemas.reasons import without_values
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
        (TEAM, "[]", "expected object, got []"),
        (TEAM, "{}", "missing 'team'"),
        (TEAM, '{"team": "sales"}', 'team: expected one of ["billing","delivery"], got \'sales\''),
        (TEAM, '{"team": "billing", "order": 1}', "order: expected string or null, got 1"),
        (TEAM, '{"team": "billing", "why": 1}', "unexpected 'why'"),
        ({"items": {"type": "integer"}}, '[1, "a"]', "1: expected integer, got 'a'"),
        ({"minItems": 2}, "[1]", "expected at least 2 items, got 1"),
        ({"uniqueItems": True}, "[1, 1.0]", "an item is repeated"),
        ({"pattern": "^a$"}, '"b"', "expected a match of '^a$', got 'b'"),
        (False, "1", "expected no value, got 1"),
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
        ("none.json", "not found"),
        ("folder.json", "cannot be read"),
        ("broken.json", "is not JSON"),
        ("latin.json", "cannot be read"),
        ("list.json", "is not a JSON Schema"),
        ("number.json", "is not a JSON Schema"),
        ("nan.json", "NaN is not a JSON number"),
        ("deep.json", "nested too deeply"),
        ("../up.json", "outside the suite's folder"),
        ("..\\up.json", "outside the suite's folder"),
        ("/etc/up.json", "outside the suite's folder"),
        ("link.json", "outside the suite's folder"),
        ("loop.json", "cannot be"),
        ("a\0.json", "cannot be read"),
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
        ({"type": "objekt"}, "unknown type 'objekt'"),
        ({"required": "team"}, "at required"),
        ({"$ref": "https://elsewhere/x"}, "nothing is fetched"),
        ({"$ref": "#/$defs/x"}, "is not found"),
        ({"$schema": "https://elsewhere/x"}, "unknown '.schema'"),
        ({"$schema": 5}, "unknown '.schema'"),
        ({"pattern": "("}, "pattern"),
        ({"patternProperties": {"[": {}}}, "pattern"),
        ({"$ref": "#nowhere"}, "is not found"),
        ({"anyOf": [{}], "$ref": "#/anyOf/x"}, "is not found"),
        ({"$schema": "http://json-schema.org/draft-03/schema#", "type": "objekt"}, "unknown type 'objekt'"),
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
    assert reason(schema, '{"x-a": 1}') == "x-a: expected string, got 1"
    assert reason(schema, '{"other": "b"}') == "other: expected integer, got 'b'"


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({"uniqueItems": True}, json.dumps([{"a": number} for number in range(20_000)]), ""),
        pytest.param(
            {"items": {"pattern": "^(a|a)*$"}},
            json.dumps(["a" * 200 + "b"] * 50),
            "not validated: the patterns of the schema need more than 1 s",
            marks=pytest.mark.slow,
        ),
        # Dynamic references may mean something else at each level, so that no result can be kept.
        pytest.param(
            {
                "$dynamicAnchor": "node",
                "oneOf": [
                    {"properties": {"left": {"$dynamicRef": "#node"}}, "propertyNames": {"pattern": name}}
                    for name in ("^l", "t$")
                ],
            },
            '{"left": ' * 40 + "{}" + "}" * 40,
            "not validated: it takes more than 5,000,000 steps",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_validation_is_bounded_and_says_so(schema: Json, text: str, said: str) -> None:
    found = reason(schema, text)
    assert said in found if said else not found


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({"const": "a"}, '"b"', "expected 'a', got 'b'"),
        ({"minimum": 3}, "2", "expected at least 3, got 2"),
        ({"properties": {"n": {"exclusiveMaximum": 3}}}, '{"n": 3}', "n: expected less than 3, got 3"),
        ({"multipleOf": 2}, "3", "expected a multiple of 2, got 3"),
        ({"maxLength": 1}, '"abc"', "expected at most 1 characters, got 3"),
        ({"minProperties": 1}, "{}", "expected at least 1 fields, got 0"),
        ({"not": {"type": "null"}}, "null", "expected a value that the schema does not exclude, got null"),
        ({"properties": {"a": False}}, '{"a": [1]}', "a: expected no value, got [1]"),
        ({"dependentRequired": {"a": ["b"]}}, '{"a": 1}', "does not fit: 'b' is a dependency of 'a'"),
        (
            {"contains": {"const": 1}},
            "[2]",
            "does not fit: [2] does not contain items matching the given schema",
        ),
    ],
)
def test_says_what_is_there_and_what_is_wanted(schema: Json, text: str, said: str) -> None:
    assert reason(schema, text) == said


SHAPE: dict[str, Any] = {
    "oneOf": [
        {"properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}}, "required": ["kind", "radius"]},
        {
            "properties": {"kind": {"const": "box"}, "sides": {"type": "array", "items": {"type": "number"}}},
            "required": ["kind", "sides"],
        },
    ]
}
ADDRESS = {"title": "address", "type": "object", "required": ["street", "town"]}


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        # The tag says which choice was meant, however much is wrong with it.
        (SHAPE, '{"kind": "box", "sides": [1, "2"]}', "sides.1: expected number, got '2' (taken as 'box')"),
        (SHAPE, '{"kind": "circle"}', "missing 'radius' (taken as 'circle')"),
        (SHAPE, '{"kind": "star"}', "expected one of 2 choices ('circle', 'box'), got {\"kind\":\"star\"}"),
        # Of the choices of the value's type there is one, so nobody needs to be told which.
        ({"anyOf": [ADDRESS, {"type": "null"}]}, '{"street": 1}', "missing 'town'"),
        ({"anyOf": [ADDRESS, {"type": ["null", "string"]}]}, "5", "expected object or null or string, got 5"),
        ({"anyOf": [{"type": "integer"}, {"type": "integer", "minimum": 1}]}, '"a"', "expected integer, got 'a'"),
        # Without a tag, the one with the fewest mistakes.
        (
            {"oneOf": [{"required": ["a", "b", "c"]}, {"title": "short", "required": ["a", "d"]}]},
            '{"a": 1}',
            "missing 'd' (taken as 'short')",
        ),
        (
            {"$defs": {"team": {"required": ["team"]}}, "anyOf": [{"$ref": "#/$defs/team"}, {"required": ["x", "y"]}]},
            "{}",
            "missing 'team' (taken as 'team')",
        ),
        (
            {"oneOf": [ADDRESS, {"type": "object"}]},
            '{"street": 1, "town": 2}',
            "expected a value that fits one choice, got one that fits 2: 'address' and choice 2",
        ),
        (
            {"items": {"oneOf": [{"anyOf": [SHAPE, {"type": "null"}]}]}},
            '[{"kind": "circle", "radius": "1"}]',
            "0.radius: expected number, got '1' (taken as 'circle')",
        ),
        # Of nested choices the innermost is named.
        ({"oneOf": [SHAPE, {"required": ["x", "y"]}]}, '{"kind": "circle"}', "missing 'radius' (taken as 'circle')"),
    ],
)
def test_of_a_choice_the_branch_that_was_meant(schema: Json, text: str, said: str) -> None:
    assert reason(schema, text) == said


@pytest.mark.parametrize("draft", ["draft-03/schema#", "draft-04/schema#", "draft-06/schema#", "draft-07/schema#"])
def test_older_drafts(draft: str) -> None:
    schema = {"$schema": f"http://json-schema.org/{draft}", "type": "object", "properties": {"a": {"type": "string"}}}
    assert reason(schema, '{"a": "b"}') == ""
    assert reason(schema, '{"a": 1}') == "a: expected string, got 1"


@pytest.mark.parametrize("draft", ["2019-09", "2020-12"])
def test_newer_drafts(draft: str) -> None:
    dialect = f"https://json-schema.org/draft/{draft}/schema"
    schema: dict[str, Json] = {"$schema": dialect, "properties": {"a": {"type": "string"}}}
    schema |= {"unevaluatedProperties": False}
    assert reason(schema, '{"a": "b"}') == ""
    assert reason(schema, '{"b": 1}') == "unexpected 'b'"
    assert reason(schema | {"patternProperties": {"^b": {}}}, '{"b": 1}') == ""


def test_draft_4_has_its_own_limits() -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 3, "exclusiveMinimum": True}
    assert reason(schema, "4") == ""
    assert reason(schema, "3") != ""


def test_a_format_is_asserted_on_request() -> None:
    schema = {"properties": {"day": {"format": "date"}}}
    text = '{"day": "2026-02-30"}'
    assert reason(schema, text) == ""
    assert reason({"schema": schema}, text) == ""
    assert reason({"schema": schema, "formats": "ignored"}, text) == ""
    assert reason({"schema": schema, "formats": "checked"}, text) == ("day: expected a valid date, got '2026-02-30'")
    assert reason({"schema": schema, "formats": "checked"}, '{"day": 5}') == ""


def test_formats_of_the_prompts_schema_and_of_a_file(tmp_path: Path) -> None:
    day = {"format": "date"}
    (tmp_path / "day.json").write_text(json.dumps(day), encoding="utf-8")
    for schema in ("output", "day.json"):
        argument = {"schema": schema, "formats": "checked"}
        reason = score("json schema", argument, '"today"', output=day, folder=tmp_path).reason
        assert reason == "expected a valid date, got 'today'"
    module, context = plugins.load("json schema"), CheckContext(tmp_path)
    assert module.fingerprint({"schema": "day.json", "formats": "checked"}, context) is not None
    assert module.fingerprint({"schema": "output"}, context) is None


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ({"schema": {"format": "phone"}, "formats": "checked"}, "the format 'phone' cannot be checked"),
        ({"schema": {"$defs": {"a": {"format": "phone"}}}, "formats": "checked"}, "known are date, "),
        ({"schema": {}, "formats": "yes"}, "'formats' is 'yes': known are ignored, checked"),
        ({"schema": {}, "format": "checked"}, "unknown option 'format': did you mean 'formats'"),
        ({"schema": {}, "type": "object"}, "unknown option 'type'"),
        ({"schema": 5}, "write 'output'"),
    ],
)
def test_options_that_are_refused(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        reason(argument, "1")


def test_an_unknown_format_is_no_matter_where_none_is_checked() -> None:
    assert reason({"format": "phone"}, '"x"') == ""


def test_one_validator_for_a_schema_with_and_one_without_formats() -> None:
    module = plugins.load("json schema")
    schemas = [{"format": "date"}, {"schema": {"format": "date"}}, {"schema": {"format": "date"}, "formats": "checked"}]
    checks: list[Any] = [module.build(schema, CheckContext(Path())) for schema in schemas]
    one, same, other = (check.schema for check in checks)
    assert one is same
    assert one is not other


@pytest.mark.parametrize(
    ("said", "alike"),
    [
        ("team: expected one of [\"a\"], got 'sales'", 'team: expected one of ["a"], got …'),
        (
            "a.12.sum: expected number, got 'x, not y' (taken as 'box')",
            "a.*.sum: expected number, got … (taken as 'box')",
        ),
        ("3: expected integer, got 'a'", "*: expected integer, got …"),
        ("tags: expected at most 2 items, got 3", "tags: expected at most 2 items, got …"),
        ("a: unexpected 'why', 'how'", "a: unexpected …"),
        ("missing 'team'", "missing 'team'"),
        ("expected object, got 7", "expected object, got …"),
    ],
)
def test_equal_errors_have_equal_reasons_without_the_values(said: str, alike: str) -> None:
    assert without_values(said) == alike
