"""json schema: the answer is JSON and fits a schema.

What: reads the answer as `json` does, then validates it. References to other files are not followed. If no choice of
    a `oneOf` or `anyOf` fits, the reason is that of the choice that was meant.
When: the program behind the prompt needs these fields and types.
Options: `output` for the output schema of the prompt itself, a file beside the suite, or the schema itself. Or:
    `schema` the same; `formats` ignored or checked: if checked, a `format` in the schema, such as date, must be valid.
Example:
    checks: [{json schema: output}]
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from promptbench.checks import _options, _schema_formats
from promptbench.checks._files import read_beside
from promptbench.checks._patterns import SECONDS, compiled
from promptbench.checks._scores import quoted, readable, verdict
from promptbench.core.canonical import digest
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

if TYPE_CHECKING:
    from promptbench.checks._bounded import BoundedSchema


@dataclass(frozen=True, slots=True)
class FitsSchema:
    schema: BoundedSchema

    def score(self, subject: Subject) -> Score:
        from referencing.exceptions import Unresolvable

        from promptbench.checks._bounded import MOST_STEPS, TooManySteps

        try:
            reading, problem = readable(subject, lambda string: self.schema.problem(string) is None)
            problem = problem or self.schema.problem(reading.value)
        except TooManySteps:
            problem = f"not validated: it takes more than {MOST_STEPS:,} steps to validate this answer by this schema"
        except (TimeoutError, MemoryError):
            problem = f"not validated: the patterns of the schema need more than {SECONDS:g} s on this answer"
        except RecursionError:
            problem = "the answer is nested too deeply for this schema, or the schema refers to itself endlessly"
        except Unresolvable:
            problem = "the target of a reference in the schema is not found"
        return verdict("json schema", problem)


def build(argument: Json, context: CheckContext) -> Check:
    schema, formats = _given(argument)
    try:
        return FitsSchema(_compiled(json.dumps(_schema(schema, context), allow_nan=False), formats))
    except RecursionError:
        raise ValueError("this schema is nested too deeply") from None


def fingerprint(argument: Json, context: CheckContext) -> Json:
    schema, _ = _given(argument)
    if not isinstance(schema, str) or schema == "output":
        return None
    try:
        return digest(_schema(schema, context))
    except (ValueError, RecursionError):
        return None


def _given(argument: Json) -> tuple[Json, bool]:
    if not isinstance(argument, dict) or "schema" not in argument:
        return argument, False
    given = _options.options(argument, ("schema", "formats"))
    wanted = _options.choice(given.get("formats", "ignored"), "formats", ("ignored", "checked"))
    return given["schema"], wanted == "checked"


def _schema(argument: Json, context: CheckContext) -> Json:
    if isinstance(argument, (dict, bool)):
        return argument
    if argument == "output":
        if context.output_schema is None:
            raise ValueError("the prompt has no output schema: add 'output: {schema: …}' between its '---' lines")
        return context.output_schema
    if not isinstance(argument, str) or not argument.endswith(".json"):
        raise ValueError("write 'output', the name of a .json file beside the suite, or the schema itself")
    text = read_beside(argument, context)
    try:
        return json.loads(text, parse_constant=_options.refuse_constant)
    except ValueError as error:
        raise ValueError(f"'{argument}' is not JSON: {error}") from None


@lru_cache(maxsize=256)
def _compiled(text: str, formats: bool) -> BoundedSchema:
    # One for equal schemas: building one costs thirty times as much as using it. The text keeps the author's order.
    from jsonschema import FormatChecker, SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    from promptbench.checks._bounded import BoundedSchema

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
    keywords = list(_keywords(schema))
    for keyword, value in keywords:
        _check_keyword(keyword, value, kind)
        if formats and keyword == "format" and isinstance(value, str) and value not in _schema_formats.FORMATS:
            known = ", ".join(_schema_formats.FORMATS)
            raise ValueError(f"the format {quoted(value)} cannot be checked: known are {known}")
    # An empty registry: nothing is ever fetched.
    registry: Any = Registry()
    moving = {keyword for keyword, value in keywords if not isinstance(value, dict)}
    moving |= _check_references(schema, kind(schema, registry=registry)._resolver, kind)
    checker = _schema_formats.checker() if formats else None
    return BoundedSchema(kind, schema, static=not moving & _MOVING, registry=registry, format_checker=checker)


# With these a subschema depends on how it was reached, or is made for a value (draft 3).
_MOVING = {"$dynamicRef", "$recursiveRef", "disallow"}


def _keywords(schema: Json) -> Iterator[tuple[str, Json]]:
    stack = [schema]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield from item.items()
            stack.extend(value for key, value in item.items() if key not in ("enum", "const", "default", "examples"))
        elif isinstance(item, list):
            stack.extend(item)


def _check_keyword(keyword: str, value: Json, kind: Any) -> None:
    if keyword == "type":
        # Draft 3 allows any name of a type.
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str) and name not in kind.TYPE_CHECKER._type_checkers:
                raise ValueError(_unknown_type(name))
    for pattern in [value] if keyword == "pattern" else list(value) if keyword == "patternProperties" else []:
        if isinstance(pattern, str):
            compiled(pattern)


def _unknown_type(name: str) -> str:
    return f"unknown type {quoted(name)}: known are array, boolean, integer, null, number, object, string"


def _check_references(schema: Json, resolver: Any, kind: Any) -> set[str]:
    """Return all keywords of a schema and of what it refers to. Raises ValueError for a target that is not found."""
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


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema={"anyOf": [{"type": "string"}, {"type": ["object", "boolean"]}]},
    fingerprint=fingerprint,
)
