"""json schema: the answer is JSON and fits a schema.

What: reads the answer as `json` does, then validates it. References to other places are not followed. Of a `oneOf` or
    `anyOf` that nothing fits, the reason is that of the choice that was meant.
When: the program behind the prompt needs these fields and types.
Options: `output` for the output schema of the prompt itself, a file beside the suite, or the schema itself. Or:
    `schema` the same; `formats` ignored or checked: whether a `format` in the schema, such as date, must hold.
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
from promptbench.checks._schema_reasons import reason, without_values
from promptbench.checks._words import quoted, readable, verdict
from promptbench.core.canonical import canonical, digest
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

__all__ = ["FitsSchema", "argument_schema", "build", "fingerprint", "without_values"]

argument_schema: Json = {"anyOf": [{"type": "string"}, {"type": ["object", "boolean"]}]}


@dataclass(frozen=True, slots=True)
class FitsSchema:
    validator: Any

    def score(self, subject: Subject) -> Score:
        reading, problem = readable(subject)
        if problem:
            return verdict("json schema", [problem])
        try:
            fits = self.validator.is_valid(reading.value)
            problems = [] if fits else [reason(self.validator, reading.value)]
        except TimeoutError:
            problems = ["a pattern of the schema took too long on this answer"]
        except RecursionError:
            problems = ["the answer is nested too deeply for this schema, or the schema refers to itself without end"]
        except _unresolvable():
            problems = ["a reference in the schema leads nowhere"]
        return verdict("json schema", problems)


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when there is no such schema, or it is none."""
    schema, formats = _given(argument)
    try:
        return FitsSchema(_validator(canonical(_schema(schema, context)), formats))
    except RecursionError:
        raise ValueError("this schema is nested too deeply") from None


def fingerprint(argument: Json, context: CheckContext) -> Json:
    """The content of the schema's file, where there is one that can be read."""
    schema, _ = _given(argument)
    if not isinstance(schema, str) or schema == "output":
        return None
    try:
        return digest(_schema(schema, context))
    except (ValueError, RecursionError):
        return None


def _unresolvable() -> type[Exception]:
    from referencing.exceptions import Unresolvable

    return Unresolvable


def _given(argument: Json) -> tuple[Json, bool]:
    """The schema, and whether its formats are checked. `schema` is no word of JSON Schema, so it tells options."""
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
    try:
        path = (context.folder / argument.replace("\\", "/")).resolve()
    except (OSError, RuntimeError, ValueError):
        raise ValueError(f"'{argument}' cannot be the name of a file") from None
    if not path.is_relative_to(context.folder.resolve()):
        raise ValueError("the schema's file must lie below the suite's folder")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_no_constant)
    except FileNotFoundError:
        raise ValueError(f"there is no file '{argument}' beside the suite") from None
    except OSError as error:
        raise ValueError(f"the file '{argument}' cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"'{argument}' is not UTF-8 text") from None
    except ValueError as error:
        raise ValueError(f"'{argument}' is not JSON: {error}") from None


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not a number of JSON")


@lru_cache(maxsize=256)
def _validator(text: str, formats: bool) -> Any:
    """One validator for equal schemas: building one costs thirty times as much as using it."""
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
        raise ValueError(f"the '$schema' {quoted(named)} is not one that is known here")
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "its top"
        if where.endswith("type") and isinstance(error.instance, str):
            known = "array, boolean, integer, null, number, object, string"
            raise ValueError(f"{quoted(error.instance)} is not a type of JSON Schema: known are {known}") from None
        raise ValueError(f"this is not a JSON Schema: at {where}: {quoted(error.message)[1:-1]}") from None
    keywords = list(_keywords(schema))
    for keyword, value in keywords:
        _check_keyword(keyword, value, schema)
        if formats and keyword == "format" and isinstance(value, str) and value not in _schema_formats.FORMATS:
            known = ", ".join(_schema_formats.FORMATS)
            raise ValueError(f"the format {quoted(value)} is not one that can be checked: known are {known}")
    if {"patternProperties", "unevaluatedProperties"} <= {keyword for keyword, _ in keywords}:
        raise ValueError("'unevaluatedProperties' beside 'patternProperties' is not supported")
    # The kind of validator is known, and a subschema that is the whole schema again must not be taken for another one.
    bare = {key: value for key, value in schema.items() if key != "$schema"} if isinstance(schema, dict) else schema
    resolve = partial(_pointed_at, bare) if _means_the_same_everywhere(keywords) else None
    checker = _schema_formats.checker() if formats else None
    # An empty registry: nothing is ever fetched.
    return bounded(kind, resolve)(bare, registry=Registry(), format_checker=checker)


def _means_the_same_everywhere(keywords: Iterable[tuple[str, Json]]) -> bool:
    """Whether no subschema has an address of its own, refers dynamically, or is made up for a value (draft 3)."""
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
            raise ValueError(f"the reference '{value}' leads out of the schema, and nothing is fetched: copy it in")
        try:
            _pointed_at(schema, value)
        except KeyError:
            raise ValueError(f"the reference '{value}' leads nowhere") from None
        except LookupError:
            pass  # An anchor, which jsonschema finds.
    patterns = [value] if keyword == "pattern" else list(value) if keyword == "patternProperties" else []
    for pattern in patterns:
        if isinstance(pattern, str):
            _check_pattern(pattern)


def _check_pattern(pattern: str) -> None:
    import regex

    try:
        regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"the pattern {quoted(pattern)} is not one that Python knows: {error}") from None
    except (OverflowError, MemoryError):
        raise ValueError(f"the pattern {quoted(pattern)} is too large") from None


def _pointed_at(schema: Json, reference: str) -> Json:
    """The subschema that a JSON pointer leads to. Raises KeyError when there is none, LookupError for an anchor."""
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
