"""The kept validators say what jsonschema's own say, whatever the schema and the value are."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, seed, settings, strategies as st
from jsonschema import validators
from jsonschema.validators import validator_for

from promptbench.core.types import Json
from promptbench.schemas.validator import compile_schema

KEYS = st.sampled_from(["a", "b", "id", "$ref", "type"])
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, 1.5, "", "a", "ab", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def _keywords(inner: st.SearchStrategy[Json], *, refers: bool = False) -> st.SearchStrategy[Json]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
            "properties": st.dictionaries(KEYS, inner, max_size=3),
            "required": st.lists(KEYS, max_size=2, unique=True),
            "additionalProperties": inner,
            "items": inner,
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "pattern": st.sampled_from(["a", "^a$", "[0-9]", "^a+$"]),
            "minLength": st.integers(0, 2),
            "maxLength": st.integers(0, 2),
            "minimum": st.integers(-2, 2),
            "maximum": st.integers(-2, 2),
            "maxItems": st.integers(0, 2),
            "uniqueItems": st.booleans(),
            "anyOf": several,
            "oneOf": several,
            "allOf": several,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "contains": inner,
            "propertyNames": inner,
            "prefixItems": several,
            "patternProperties": st.dictionaries(st.sampled_from(["a", "^i"]), inner, max_size=2),
            "dependentSchemas": st.dictionaries(KEYS, inner, max_size=2),
            "unevaluatedProperties": inner,
            "unevaluatedItems": inner,
            **({"$ref": st.sampled_from(["#/$defs/one", "#/$defs/two"])} if refers else {}),
        },
    )


SCHEMAS = _keywords(_keywords(st.booleans()) | st.booleans())
REFERRING = _keywords(_keywords(st.booleans(), refers=True) | st.booleans(), refers=True)
# Not 2019-09, in which jsonschema itself is wrong about unevaluated items (tests/bench/json_schema_suite).
DRAFTS = st.sampled_from([None, *(f"http://json-schema.org/draft-{number}/schema#" for number in ("06", "07"))])


def fits(schema: Json, *values: Json) -> list[bool]:
    ours = compile_schema(schema)
    return [ours.problem(value) is None for value in values]


@pytest.mark.slow
@seed(20261124)
@settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(DRAFTS, REFERRING, SCHEMAS, SCHEMAS, st.lists(VALUES, min_size=1, max_size=4))
def test_the_same_verdicts(draft: str | None, schema: Json, one: Json, two: Json, values: list[Json]) -> None:
    whole = {**schema, "$defs": {"one": one, "two": two}, **({"$schema": draft} if draft else {})}
    usual = validator_for(whole, default=validators.Draft202012Validator)(whole)
    right = [usual.is_valid(value) for value in values]
    # Twice, since what is kept from the first value must be right for the second.
    assert fits(whole, *values, *values) == right * 2, (whole, values)


@pytest.mark.parametrize(
    "schema",
    [
        {"$id": "https://a.example/x", "properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "number"}}},
        {
            "properties": {
                "a": {"$id": "https://a.example/y", "$ref": "#/$defs/n", "$defs": {"n": {"type": "number"}}}
            },
            "$defs": {"n": {"type": "string"}},
        },
        {"properties": {"a": {"$ref": "#number"}}, "$defs": {"n": {"$anchor": "number", "type": "number"}}},
        {
            "$dynamicAnchor": "node",
            "properties": {"a": {"anyOf": [{"type": "number"}, {"$dynamicRef": "#node"}]}},
            "additionalProperties": False,
        },
        {"properties": {"a": {"$ref": "#/$defs/a~1b%25"}}, "$defs": {"a/b%": {"type": "number"}}},
        {
            "$id": "https://a.example/x",
            "properties": {"a": {"$ref": "https://a.example/x#n"}},
            "$defs": {"n": {"$anchor": "n", "type": "number"}},
        },
        {"$ref": "https://json-schema.org/draft/2020-12/schema", "properties": {"a": {"type": "number"}}},
    ],
)
def test_addresses_and_anchors_mean_what_they_mean_to_jsonschema(schema: Json) -> None:
    for text in ('{"a": 1}', '{"a": "x"}', '{"a": {"a": 1}}', '{"a": {"b": 1}}'):
        value = json.loads(text)
        assert fits(schema, value) == [validators.Draft202012Validator(schema).is_valid(value)]


def test_a_reference_to_the_whole_schema_keeps_the_bounds() -> None:
    # jsonschema would take a subschema with `$schema` for one of its own kind, and its patterns cannot be stopped.
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {"a": {"$ref": "#"}},
        "uniqueItems": True,
    }
    assert fits(schema, {"a": list(range(30_000))}, {"a": [1, 1.0]}) == [True, False]


def grown(depth: int, leaf: Json) -> Json:
    """A chain of nodes that fits the second choice at each level."""
    value = leaf
    for _ in range(depth):
        value = {"kind": "second", "left": value}
    return value


CHOICES: Json = {
    "oneOf": [
        {"properties": {"left": {"$ref": "#/$defs/node"}, "kind": {"const": kind}}, "required": ["kind"]}
        for kind in ("first", "second")
    ]
}
TWICE: Json = {f"l{level}": {"anyOf": [{"$ref": f"#/$defs/l{level + 1}"}] * 2} for level in range(60)}


@pytest.mark.parametrize("order", [False, True])
def test_work_grows_with_the_answer_and_not_with_two_to_the_power_of_its_depth(order: bool) -> None:
    schema = json.loads(json.dumps({"$ref": "#/$defs/node", "$defs": {"node": CHOICES}}, sort_keys=order))
    assert fits(schema, grown(40, {"kind": "first"}), grown(40, {"kind": "third"})) == [True, False]


def test_choices_of_the_same_reference_are_tried_once() -> None:
    schema = {"$ref": "#/$defs/l0", "$defs": {**TWICE, "l60": {"type": "integer"}}}
    assert fits(schema, 1, "a") == [True, False]
    # Under `allOf` each way to the failure is an error of its own: the first thousand are listed.
    several = json.loads(json.dumps(schema).replace("anyOf", "allOf"))
    assert fits(several, 1, "a") == [True, False]
