from __future__ import annotations

import jsonschema
import pytest
from hypothesis import given, settings, strategies as st

from promptbench.core.types import Json
from promptbench.prompts.picoschema import PicoschemaError, to_json_schema


def thing(properties: Json, required: list[str], extra: Json = False) -> Json:
    schema = {"type": "object", "properties": properties, "additionalProperties": extra}
    return {**schema, "required": required} if required else schema


@pytest.mark.parametrize("kind", ["string", "number", "integer", "boolean", "null"])
def test_scalars(kind: str) -> None:
    assert to_json_schema(kind) == {"type": kind}
    assert to_json_schema(f"{kind}, what it is, in words") == {"type": kind, "description": "what it is, in words"}


def test_anything() -> None:
    assert to_json_schema("any") == {}
    assert to_json_schema({"a?": "any, whatever"}) == thing({"a": {"description": "whatever"}}, [])


def test_the_example_of_the_documentation() -> None:
    written = {
        "field1": "string, this is a required field",
        "optionalField?": "string",
        "object": {"nested": "number"},
        "tags(array, string array)": "string",
        "matrix(array)": {"cell": "integer"},
        "status(enum)": ["PENDING", "APPROVED"],
        "kind?(enum, optional)": ["A", "B"],
        "list?(array)": "string",
        "part?(object, c)": {"x?": "boolean"},
        "(*)": "any, wildcard",
    }
    assert to_json_schema(written) == thing(
        {
            "field1": {"type": "string", "description": "this is a required field"},
            "optionalField": {"type": ["string", "null"]},
            "object": thing({"nested": {"type": "number"}}, ["nested"]),
            "tags": {"type": "array", "items": {"type": "string"}, "description": "string array"},
            "matrix": {"type": "array", "items": thing({"cell": {"type": "integer"}}, ["cell"])},
            "status": {"enum": ["PENDING", "APPROVED"]},
            "kind": {"enum": ["A", "B", None], "description": "optional"},
            "list": {"type": ["array", "null"], "items": {"type": "string"}},
            "part": {**thing({"x": {"type": ["boolean", "null"]}}, []), "type": ["object", "null"], "description": "c"},
        },
        ["field1", "object", "tags", "matrix", "status"],
        {"description": "wildcard"},
    )  # fmt: skip


def test_null_is_not_allowed_twice() -> None:
    written = {"a?": "null", "b?(enum)": ["x", None]}
    assert to_json_schema(written) == thing({"a": {"type": "null"}, "b": {"enum": ["x", None]}}, [])


def test_a_description_may_have_parentheses() -> None:
    schema = to_json_schema({"tags(array, words (at most 3), in lower case)": "string"})
    assert schema["properties"]["tags"]["description"] == "words (at most 3), in lower case"


@pytest.mark.parametrize(
    "written",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"properties": {"a": {"type": "string"}}},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {"type": "string"},
        {"type": ["string", "null"], "description": "a word"},
        {"type": "string", "enum": ["a", "b"]},
        {"enum": ["a", "b"]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"type": "object", "x-order": 1, "additionalProperties": {"type": "number"}},
    ],
)
def test_json_schema_passes_through(written: Json) -> None:
    assert to_json_schema(written) is written


@pytest.mark.parametrize(
    "written",
    [
        {"type": "string", "name": "string"},
        {"type": "string, the kind of it", "name": "string"},
        {"type": "string", "address": {"street": "string"}},
        {"properties": "string", "enum": "string"},
        {"type(enum)": ["a", "b"]},
        {"type": "string", "tags(array)": "string"},
    ],
)
def test_fields_called_like_words_of_json_schema(written: Json) -> None:
    schema = to_json_schema(written)
    assert schema["type"] == "object"
    assert list(schema["properties"]) == [key.split("(")[0] for key in written]


@pytest.mark.parametrize(
    ("written", "path", "says"),
    [
        ({"a": "strng"}, ("a",), "'strng' is not a type; did you mean 'string'?"),
        ({"a": {"b": "qqq"}}, ("a", "b"), "known types: string, number"),
        ({"a": None}, ("a",), "a schema is a type"),
        ({"a": 3}, ("a",), "a schema is a type"),
        (["string"], (), "a schema is a type"),
        ({"a(list)": "string"}, ("a(list)",), "unknown kind '(list)'"),
        ({"a(enum)": "A, B"}, ("a(enum)",), "an enum is a list of values"),
        ({"a(array": "string"}, ("a(array",), "is not a valid field"),
        ({"?": "string"}, ("?",), "is not a valid field"),
        ({"a": "string", "a?": "string"}, ("a?",), "duplicate field 'a'"),
        ({"a(array)": {"b": "x y"}}, ("a(array)", "b"), "'x y' is not a type"),
    ],
)
def test_mistakes_have_a_path(written: Json, path: tuple[str, ...], says: str) -> None:
    with pytest.raises(PicoschemaError) as raised:
        to_json_schema(written)
    assert raised.value.path == path
    assert says in str(raised.value)


_scalars = st.sampled_from(["string", "number, a number", "integer", "boolean", "null", "any"])
_fields = st.sampled_from(["a", "b?", "c", "d?"])
_schemas = st.recursive(
    _scalars,
    lambda inner: (
        st.dictionaries(_fields, inner, max_size=3)
        | st.dictionaries(st.sampled_from(["l(array, some)", "m?(array)", "o(object)", "(*)"]), inner, max_size=3)
        | st.just({"e(enum)": ["x", "y"], "f?(enum)": [1, None]})
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(_schemas)
def test_the_result_is_always_json_schema(written: Json) -> None:
    jsonschema.Draft202012Validator.check_schema(to_json_schema(written))


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(_plain)
def test_whatever_is_written_is_a_schema_or_a_named_mistake(written: Json) -> None:
    try:
        result = to_json_schema(written)
    except PicoschemaError as error:
        result = {"mistake": str(error)}
    assert result != {"mistake": ""}
