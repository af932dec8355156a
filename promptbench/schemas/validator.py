"""Compile JSON Schemas of every draft that jsonschema supports. Validating takes bounded work and fetches nothing."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from promptbench.core.types import Json
from promptbench.core.words import quoted
from promptbench.schemas import formats as known_formats
from promptbench.schemas.patterns import compiled

if TYPE_CHECKING:
    from promptbench.schemas._bounded import BoundedSchema

# With these a subschema depends on how it was reached, or is made for a value (draft 3).
_MOVING = {"$dynamicRef", "$recursiveRef", "disallow"}


def compile_schema(schema: Json, *, formats: bool = False) -> BoundedSchema:
    """Return a schema that is ready to validate. With `formats`, a text must be valid in the `format` of its schema.

    Raise ValueError if the schema is invalid, or needs a format or a document that is not known.
    """
    try:
        return _compile(json.dumps(schema, allow_nan=False), formats)
    except RecursionError:
        raise ValueError("this schema is nested too deeply") from None


@lru_cache(maxsize=256)
def _compile(text: str, formats: bool) -> BoundedSchema:
    # One for equal schemas: building one costs thirty times as much as using it. The text keeps the author's order.
    from jsonschema import FormatChecker, SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    from promptbench.schemas._bounded import BoundedSchema

    schema: Any = json.loads(text)
    if not isinstance(schema, (dict, bool)):
        raise ValueError(f"this is not a JSON Schema: it is {quoted(schema)}, not an object")
    named = schema.get("$schema") if isinstance(schema, dict) else None
    kind: Any = validator_for(schema, default=Draft202012Validator) if isinstance(named, str | None) else None
    if kind is None or (named is not None and kind.META_SCHEMA.get("$schema", "").rstrip("#") != named.rstrip("#")):
        raise ValueError(f"unknown '$schema' {quoted(named)}")
    try:
        # Patterns are checked below, by the engine that runs them.
        kind.check_schema(schema, format_checker=FormatChecker(()))
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "its top"
        if where.endswith("type") and isinstance(error.instance, str):
            raise ValueError(_unknown_type(error.instance)) from None
        raise ValueError(f"this is not a JSON Schema: at {where}: {quoted(error.message)[1:-1]}") from None
    # An empty registry: nothing is ever fetched.
    registry: Any = Registry()
    keywords = _check_keywords(schema, kind(schema, registry=registry)._resolver, kind, formats)
    checker = known_formats.checker() if formats else None
    return BoundedSchema(kind, schema, static=not keywords & _MOVING, registry=registry, format_checker=checker)


def _check_keyword(keyword: str, value: Json, kind: Any, formats: bool) -> None:
    if keyword == "type":
        # Draft 3 allows any name of a type.
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str) and name not in kind.TYPE_CHECKER._type_checkers:
                raise ValueError(_unknown_type(name))
    for pattern in [value] if keyword == "pattern" else list(value) if keyword == "patternProperties" else []:
        if isinstance(pattern, str):
            compiled(pattern)
    if formats and keyword == "format" and isinstance(value, str) and value not in known_formats.FORMATS:
        raise ValueError(f"the format {quoted(value)} cannot be checked: known are {', '.join(known_formats.FORMATS)}")


def _unknown_type(name: str) -> str:
    return f"unknown type {quoted(name)}: known are array, boolean, integer, null, number, object, string"


def _check_keywords(schema: Json, resolver: Any, kind: Any, formats: bool) -> set[str]:
    """Return all keywords of a schema and of what it refers to. Raises ValueError for one that cannot be applied."""
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    create_resource = specification_with(kind.META_SCHEMA["$schema"]).create_resource
    stack, seen, keywords = [(schema, resolver)], set[int](), set[str]()
    while stack:
        schema, resolver = stack.pop()
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        keywords |= schema.keys()
        for keyword, value in schema.items():
            _check_keyword(keyword, value, kind, formats)
        if isinstance(schema.get("extends"), dict):
            schema = {**schema, "extends": [schema["extends"]]}  # draft 3, of which `subresources` knows only lists
        resource = create_resource(schema)
        inside = (inner for inner in resource.subresources() if isinstance(inner.contents, dict))
        stack.extend((inner.contents, resolver.in_subresource(inner)) for inner in inside)
        for reference in (schema.get("$ref"), schema.get("$dynamicRef")):
            if not isinstance(reference, str):
                continue
            try:
                found = resolver.lookup(reference)
            except (Unresolvable, ValueError, TypeError) as error:
                raise ValueError(
                    f"the reference '{reference}' leads out of the schema, and nothing is fetched: copy the target in"
                    if type(error) is Unresolvable
                    else f"the target of the reference '{reference}' is not found"
                ) from None
            stack.append((found.contents, found.resolver))
    return keywords
