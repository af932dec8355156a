"""Picoschema, dotprompt's short form of JSON Schema: https://google.github.io/dotprompt/reference/picoschema/

`name: string, what it is`, `name?: …` (optional), `tags(array, what): string`, `kind(enum): [A, B]`,
`part(object): {…}`, `(*): any`. A mapping whose `type` is one of JSON Schema's is JSON Schema already.
"""

from __future__ import annotations

import re
from typing import Any

from promptbench.core.types import Json

_SCALARS = ("string", "number", "integer", "boolean", "null")
_TYPES = (*_SCALARS, "object", "array")
_KEY = re.compile(r"(?P<name>[^?(]+)(?P<optional>\?)?(?:\((?P<kind>\w+)(?:,\s*(?P<about>[^)]*))?\))?\Z")


class PicoschemaError(ValueError):
    """`path` leads to the key or value that is no schema."""

    def __init__(self, message: str, path: tuple[str, ...]) -> None:
        super().__init__(message)
        self.path = path


def to_json_schema(written: Json) -> dict[str, Json]:
    """The JSON Schema of a schema as written in a prompt file. Raises PicoschemaError."""
    if isinstance(written, dict) and _is_json_schema(written):
        return written
    return _schema(written, ())


def _is_json_schema(written: dict[str, Json]) -> bool:
    kind = written.get("type")
    names = kind if isinstance(kind, list) else [kind]
    if any(key in written for key in ("$schema", "$ref", "anyOf", "oneOf", "allOf", "enum", "const", "properties")):
        return True
    # A Picoschema with a field called `type` has text such as `string, the kind` there, or no other JSON Schema word.
    return all(name in _TYPES for name in names) and (len(written) == 1 or not _all_picoschema(written))


def _all_picoschema(written: dict[str, Json]) -> bool:
    return all(isinstance(value, str) and value.split(",")[0].strip() in (*_TYPES, "any") for value in written.values())


def _schema(written: Json, path: tuple[str, ...]) -> dict[str, Json]:
    if isinstance(written, str):
        return _scalar(written, path)
    if isinstance(written, dict):
        return _object(written, path)
    raise PicoschemaError("a schema is a type such as 'string', or 'name: type' lines", path)


def _scalar(written: str, path: tuple[str, ...]) -> dict[str, Json]:
    kind, _, about = (part.strip() for part in written.partition(","))
    if kind != "any" and kind not in _SCALARS:
        known = ", ".join((*_SCALARS, "any"))
        raise PicoschemaError(f"'{kind}' is not a type; known are {known}", path)
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
            raise PicoschemaError(f"'{key}' is not a field: write 'name', 'name?' or 'name(array)'", here)
        name = match["name"].strip()
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
    raise PicoschemaError(f"'({kind})' is not known here: array, object and enum are", path)


def _or_null(schema: dict[str, Any]) -> dict[str, Json]:
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return schema
