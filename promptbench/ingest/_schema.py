"""Whether a logged answer fits the JSON Schema that it was asked for with."""

from __future__ import annotations

import json
from collections.abc import Mapping

from promptbench.core.types import Json, Rung
from promptbench.formats.json_text import read

_UNBOUNDED = {"pattern", "patternProperties", "format"}
"""Keywords that are left out: an expression in a foreign file could take for ever."""


def explain_mismatch(answer: str | None, schema: Mapping[str, Json]) -> str | None:
    """Why the answer does not fit, in a phrase; None where it does, or where there is no schema that can be used."""
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
        bounded = _bounded(schema)
        Draft202012Validator.check_schema(bounded)
        # An empty registry: nothing is ever fetched.
        error = next(Draft202012Validator(bounded, registry=Registry()).iter_errors(reading.value), None)
    except (SchemaError, Unresolvable, RecursionError):
        return None
    if error is None:
        return None
    where = "/".join(map(str, error.absolute_path))
    said = error.message if len(error.message) <= 200 else json.dumps(error.validator)
    return f"schema: {where}: {said}" if where else f"schema: {said}"


def _bounded(schema: Json) -> Json:
    if isinstance(schema, dict):
        return {key: _bounded(value) for key, value in schema.items() if key not in _UNBOUNDED}
    return [_bounded(item) for item in schema] if isinstance(schema, list) else schema
