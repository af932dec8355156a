"""JSON Schema's keywords that jsonschema checks with `re` or by comparing all pairs, in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import regex

from promptbench.checks._words import quoted
from promptbench.core.types import Json

_SECONDS = 1.0


def _search(pattern: str, text: str) -> bool:
    """Raises TimeoutError. Python's own `re` cannot be stopped."""
    return regex.search(pattern, text, timeout=_SECONDS) is not None


def _pattern(validator: Any, pattern: str, instance: Json, schema: Json) -> Iterator[Any]:
    if isinstance(instance, str) and not _search(pattern, instance):
        yield jsonschema.ValidationError(f"{quoted(instance)} does not match {quoted(pattern)}")


def _pattern_properties(validator: Any, patterns: dict[str, Json], instance: Json, schema: Json) -> Iterator[Any]:
    for pattern, inner in patterns.items() if isinstance(instance, dict) else ():
        for key, value in instance.items():
            if _search(pattern, key):
                yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _additional_properties(validator: Any, wanted: Json, instance: Json, schema: Json) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = [key for key in instance if key not in known and not any(_search(pattern, key) for pattern in patterns)]
    if isinstance(wanted, dict):
        for key in extra:
            yield from validator.descend(instance[key], wanted, path=key)
    elif wanted is False and extra:
        yield jsonschema.ValidationError(f"has {', '.join(map(quoted, extra[:5]))}, which the schema does not allow")


def _unique(validator: Any, wanted: Json, instance: Json, schema: Json) -> Iterator[Any]:
    """In linear time, where jsonschema compares every item with every other."""
    if wanted is True and isinstance(instance, list) and len({_key(item) for item in instance}) < len(instance):
        yield jsonschema.ValidationError("an item is repeated")


def _key(value: Json) -> Json:
    """Equal for what JSON Schema calls equal: 1 and 1.0, but not 1 and true."""
    if isinstance(value, dict):
        return ("object", frozenset((key, _key(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("array", tuple(_key(item) for item in value))
    return ("boolean", value) if isinstance(value, bool) else value


def bounded(kind: Any) -> Any:
    """The validator class `kind` with these keywords in the place of its own."""
    extend: Any = jsonschema.validators.extend
    return extend(
        kind,
        {
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": _additional_properties,
            "uniqueItems": _unique,
        },
    )
