"""The kept validators say what jsonschema's own say, whatever the schema and the value are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from jsonschema import validators
from jsonschema.validators import validator_for

from promptbench.checks import json_schema
from promptbench.core.canonical import canonical
from promptbench.core.types import Json

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
            "pattern": st.sampled_from(["a", "^a$", "[0-9]"]),
            "minimum": st.integers(-2, 2),
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
            "unevaluatedProperties": st.booleans(),
            **({"$ref": st.sampled_from(["#/$defs/one", "#/$defs/two"])} if refers else {}),
        },
    )


SCHEMAS = _keywords(_keywords(st.booleans()) | st.booleans())
REFERRING = _keywords(_keywords(st.booleans(), refers=True) | st.booleans(), refers=True)
DRAFTS = st.sampled_from(
    [None, "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema"]
)


def kept(schema: Json) -> Any:
    return json_schema._validator(canonical(schema), formats=False)


@pytest.mark.slow
@seed(20261124)
@settings(max_examples=50, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(DRAFTS, REFERRING, SCHEMAS, SCHEMAS, st.lists(VALUES, min_size=1, max_size=4))
def test_the_same_verdicts(draft: str | None, schema: Json, one: Json, two: Json, values: list[Json]) -> None:
    whole = {**schema, "$defs": {"one": one, "two": two}, **({"$schema": draft} if draft else {})}
    usual = validator_for(whole, default=validators.Draft202012Validator)(whole)
    ours = kept(whole)
    for value in values:
        # Twice, since what is kept from the first value must be right for the second.
        assert [ours.is_valid(value), ours.is_valid(value)] == [usual.is_valid(value)] * 2, (whole, value)


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
    ],
)
def test_addresses_and_anchors_mean_what_they_mean_to_jsonschema(schema: Json) -> None:
    for text in ('{"a": 1}', '{"a": "x"}', '{"a": {"a": 1}}', '{"a": {"b": 1}}'):
        value = json.loads(text)
        try:
            usual = validators.Draft202012Validator(schema).is_valid(value)
        except Exception as error:  # noqa: BLE001 - what cannot be followed cannot be followed by either
            with pytest.raises(type(error)):
                kept(schema).is_valid(value)
            continue
        assert kept(schema).is_valid(value) is usual


def test_a_reference_to_the_whole_schema_keeps_the_bounds() -> None:
    # jsonschema would take a subschema with `$schema` for one of its own kind, and its patterns cannot be stopped.
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {"a": {"$ref": "#"}},
        "uniqueItems": True,
    }
    assert kept(schema).is_valid({"a": list(range(30_000))})
    assert not kept(schema).is_valid({"a": [1, 1.0]})
