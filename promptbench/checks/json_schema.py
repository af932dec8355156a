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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote

from promptbench.checks import _options, _schema_formats
from promptbench.checks._files import read_beside
from promptbench.checks._patterns import compiled
from promptbench.checks._schema_reasons import reason
from promptbench.checks._scores import quoted, readable, verdict
from promptbench.core.canonical import canonical, digest
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject


@dataclass(frozen=True, slots=True)
class FitsSchema:
    validator: Any

    def score(self, subject: Subject) -> Score:
        from referencing.exceptions import Unresolvable

        reading, problem = readable(subject)
        if problem:
            return verdict("json schema", problem)
        try:
            problem = None if self.validator.is_valid(reading.value) else reason(self.validator, reading.value)
        except TimeoutError:
            problem = "a pattern of the schema took too long on this answer"
        except RecursionError:
            problem = "the answer is nested too deeply for this schema, or the schema refers to itself endlessly"
        except Unresolvable:
            problem = "the target of a reference in the schema is not found"
        return verdict("json schema", problem)


def build(argument: Json, context: CheckContext) -> Check:
    schema, formats = _given(argument)
    try:
        return FitsSchema(_validator(canonical(_schema(schema, context)), formats))
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
def _validator(text: str, formats: bool) -> Any:
    # One validator for equal schemas: building one costs thirty times as much as using it.
    from jsonschema import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    from promptbench.checks._bounded import bounded

    schema: Any = json.loads(text)
    if not isinstance(schema, (dict, bool)):
        raise ValueError(f"this is not a JSON Schema: it is {quoted(schema)}, not an object")
    named = schema.get("$schema") if isinstance(schema, dict) else None
    kind: Any = validator_for(schema, default=Draft202012Validator) if isinstance(named, str | None) else None
    if kind is None or (named is not None and kind.META_SCHEMA.get("$schema", "").rstrip("#") != named.rstrip("#")):
        raise ValueError(f"unknown '$schema' {quoted(named)}")
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "its top"
        if where.endswith("type") and isinstance(error.instance, str):
            known = "array, boolean, integer, null, number, object, string"
            raise ValueError(f"unknown type {quoted(error.instance)}: known are {known}") from None
        raise ValueError(f"this is not a JSON Schema: at {where}: {quoted(error.message)[1:-1]}") from None
    keywords = list(_keywords(schema))
    for keyword, value in keywords:
        _check_keyword(keyword, value, schema)
        if formats and keyword == "format" and isinstance(value, str) and value not in _schema_formats.FORMATS:
            known = ", ".join(_schema_formats.FORMATS)
            raise ValueError(f"the format {quoted(value)} cannot be checked: known are {known}")
    if {"patternProperties", "unevaluatedProperties"} <= {keyword for keyword, _ in keywords}:
        raise ValueError("'unevaluatedProperties' with 'patternProperties' is not supported")
    # The kind of validator is known, and a subschema that is the whole schema again must not be taken for another one.
    bare = {key: value for key, value in schema.items() if key != "$schema"} if isinstance(schema, dict) else schema
    resolve = partial(_pointed_at, bare) if _means_the_same_everywhere(keywords) else None
    checker = _schema_formats.checker() if formats else None
    # An empty registry: nothing is ever fetched.
    return bounded(kind, resolve)(bare, registry=Registry(), format_checker=checker)


def _means_the_same_everywhere(keywords: Iterable[tuple[str, Json]]) -> bool:
    # No subschema has an address of its own, refers dynamically, or is made for a value (draft 3).
    moving = ("$id", "id", "$dynamicRef", "$recursiveRef", "disallow")
    return not any(keyword in moving and not isinstance(value, dict) for keyword, value in keywords)


def _keywords(schema: Json) -> Iterator[tuple[str, Json]]:
    stack = [schema]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield from item.items()
            stack.extend(value for key, value in item.items() if key not in ("enum", "const", "default", "examples"))
        elif isinstance(item, list):
            stack.extend(item)


def _check_keyword(keyword: str, value: Json, schema: Json) -> None:
    if keyword in ("$ref", "$dynamicRef") and isinstance(value, str):
        if not value.startswith("#"):
            raise ValueError(
                f"the reference '{value}' leads out of the schema, and nothing is fetched: copy the target in"
            )
        try:
            _pointed_at(schema, value)
        except KeyError:
            raise ValueError(f"the target of the reference '{value}' is not found") from None
        except LookupError:
            pass  # an anchor, which jsonschema resolves
    for pattern in [value] if keyword == "pattern" else list(value) if keyword == "patternProperties" else []:
        if isinstance(pattern, str):
            compiled(pattern)


def _pointed_at(schema: Json, reference: str) -> Json:
    # Return the target of a JSON pointer. Raises KeyError if there is none, LookupError for an anchor.
    if reference != "#" and not reference.startswith("#/"):
        raise LookupError(reference)
    for step in unquote(reference).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(schema, dict) and name in schema:
            schema = schema[name]
        elif isinstance(schema, list) and name.isdecimal() and int(name) < len(schema):
            schema = schema[int(name)]
        else:
            raise KeyError(reference)
    return schema


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema={"anyOf": [{"type": "string"}, {"type": ["object", "boolean"]}]},
    fingerprint=fingerprint,
)
