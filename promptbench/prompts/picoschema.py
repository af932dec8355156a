"""Convert Picoschema, dotprompt's short form of JSON Schema: https://google.github.io/dotprompt/reference/picoschema/

`name: string, what it is`, `name?: …` (optional), `tags(array, what): string`, `kind(enum): [A, B]`,
`part(object): {…}`, `(*): any`. A mapping whose `type` is one of JSON Schema's is JSON Schema already.
"""

import re
from typing import Any

from promptbench.core.errors import suggest
from promptbench.core.types import Json

_SCALARS = ("string", "number", "integer", "boolean", "null")
_TYPES = (*_SCALARS, "object", "array")
_KEY = re.compile(r"(?P<name>[^?(]+)(?P<optional>\?)?(?:\((?P<kind>\w+)(?:,\s*(?P<about>.*))?\))?\Z", re.DOTALL)
_KEYWORD = re.compile(
    r"""
    type|title|description|default|examples|example|deprecated|readOnly|writeOnly|nullable|format|pattern|enum|const|
    minLength|maxLength|contentEncoding|contentMediaType|minimum|maximum|exclusiveMinimum|exclusiveMaximum|
    multipleOf|items|prefixItems|additionalItems|contains|minContains|maxContains|minItems|maxItems|uniqueItems|
    unevaluatedItems|properties|patternProperties|additionalProperties|propertyNames|unevaluatedProperties|required|
    minProperties|maxProperties|dependencies|dependentRequired|dependentSchemas|definitions|allOf|anyOf|oneOf|not|if|
    then|else
    | \$.* | x-.*""",
    re.VERBOSE,
)


class PicoschemaError(ValueError):
    """An invalid schema; `path` leads to the key or value."""

    def __init__(self, message: str, path: tuple[str, ...]) -> None:
        super().__init__(message)
        self.path = path


def to_json_schema(written: Json) -> dict[str, Json]:
    """Return a schema from a prompt file as JSON Schema. Raise PicoschemaError if it is invalid."""
    if isinstance(written, dict) and _is_json_schema(written):
        return written
    return _schema(written, ())


def _is_json_schema(written: dict[str, Json]) -> bool:
    """Return whether a mapping is JSON Schema; Picoschema fields may be named like its keywords."""
    if any(isinstance(written.get(key), str) for key in ("$schema", "$ref")):
        return True
    if any(isinstance(written.get(key), list) for key in ("anyOf", "oneOf", "allOf", "enum")):
        return True
    properties = written.get("properties")
    if isinstance(properties, dict) and all(isinstance(value, (dict, bool)) for value in properties.values()):
        return True
    kind = written.get("type")
    names = kind if isinstance(kind, list) and kind else [kind]
    if not all(isinstance(name, str) and name in _TYPES for name in names):
        return False
    known = all(_KEYWORD.fullmatch(key) for key in written)
    return known and (len(written) == 1 or not _all_picoschema(written))


def _all_picoschema(written: dict[str, Json]) -> bool:
    return all(isinstance(value, str) and value.split(",")[0].strip() in (*_TYPES, "any") for value in written.values())


def _schema(written: Json, path: tuple[str, ...]) -> dict[str, Json]:
    if isinstance(written, dict):
        return _object(written, path)
    if not isinstance(written, str):
        raise PicoschemaError("a schema is a type such as 'string', or 'name: type' lines", path)
    kind, _, about = (part.strip() for part in written.partition(","))
    if kind != "any" and kind not in _SCALARS:
        hint = suggest(kind, (*_SCALARS, "any"), f"known types: {', '.join((*_SCALARS, 'any'))}")
        raise PicoschemaError(f"'{kind}' is not a type; {hint}", path)
    schema: dict[str, Json] = {} if kind == "any" else {"type": kind}
    return {**schema, "description": about} if about else schema


def _object(written: dict[str, Json], path: tuple[str, ...]) -> dict[str, Json]:
    properties: dict[str, Json] = {}
    required: list[str] = []
    extra: Json = False
    for key, value in written.items():
        here = (*path, key)
        if key == "(*)":
            extra = _schema(value, here)
            continue
        match = _KEY.match(key)
        if not match:
            raise PicoschemaError(f"'{key}' is not a valid field: write 'name', 'name?' or 'name(array)'", here)
        name = match["name"].strip()
        if name in properties:
            raise PicoschemaError(f"duplicate field '{name}'", here)
        schema = _field(match["kind"], value, here)
        if match["about"]:
            schema["description"] = match["about"].strip()
        if match["optional"]:
            schema = _or_null(schema)
        else:
            required.append(name)
        properties[name] = schema
    result: dict[str, Json] = {"type": "object", "properties": properties, "additionalProperties": extra}
    return {**result, "required": required} if required else result


def _field(kind: str | None, value: Json, path: tuple[str, ...]) -> dict[str, Json]:
    match kind:
        case None | "object":
            return _schema(value, path)
        case "array":
            return {"type": "array", "items": _schema(value, path)}
        case "enum":
            if not isinstance(value, list):
                raise PicoschemaError("an enum is a list of values", path)
            return {"enum": list(value)}
    raise PicoschemaError(f"unknown kind '({kind})'; known are array, object and enum", path)


def _or_null(schema: dict[str, Any]) -> dict[str, Json]:
    if "type" in schema:
        return schema if schema["type"] == "null" else {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        return schema if None in schema["enum"] else {**schema, "enum": [*schema["enum"], None]}
    return schema
