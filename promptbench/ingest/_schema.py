"""Validation of a logged answer against the JSON Schema that was sent with the request."""

from __future__ import annotations

import json
from collections.abc import Mapping

from promptbench.core.types import Json, Rung
from promptbench.parsing.json_text import read

# Omitted keywords: a regular expression in an untrusted file could take forever.
_UNBOUNDED = {"pattern", "patternProperties", "format"}


def explain_mismatch(answer: str | None, schema: Mapping[str, Json]) -> str | None:
    """Return why the answer does not match, in a phrase; None if it matches or the schema cannot be used."""
    if answer is None or not schema:
        return None
    reading = read(answer)
    if reading.rung is not Rung.RAW:
        return "schema: the answer is not JSON"
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        bounded = _omit_unbounded(schema)
        Draft202012Validator.check_schema(bounded)
        # With an empty registry nothing is ever fetched.
        error = next(Draft202012Validator(bounded, registry=Registry()).iter_errors(reading.value), None)
    except (SchemaError, Unresolvable, RecursionError):
        return None
    if error is None:
        return None
    where = "/".join(map(str, error.absolute_path))
    message = error.message if len(error.message) <= 200 else json.dumps(error.validator)
    return f"schema: {where}: {message}" if where else f"schema: {message}"


def _omit_unbounded(schema: Json) -> Json:
    if isinstance(schema, dict):
        return {key: _omit_unbounded(value) for key, value in schema.items() if key not in _UNBOUNDED}
    return [_omit_unbounded(item) for item in schema] if isinstance(schema, list) else schema
