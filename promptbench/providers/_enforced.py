"""The parts of JSON Schema that servers enforce in structured outputs, as OpenAI and Anthropic document them."""

from collections.abc import Iterator, Mapping
from typing import Any

_SHARED = frozenset(
    {
        "$schema", "$defs", "definitions", "$ref", "title", "description", "type", "properties", "required",
        "additionalProperties", "items", "anyOf", "enum", "const", "format",
    }
)  # fmt: skip
_OPENAI = _SHARED | {
    "pattern", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems",
}  # fmt: skip
_ANTHROPIC = _SHARED | {"allOf"}
_LEVELS = 10  # the deepest nesting that OpenAI takes


def openai_gap(schema: Mapping[str, Any]) -> str | None:
    """Return what keeps OpenAI from enforcing a schema (`strict`), None if nothing does."""
    if schema.get("type") != "object":
        return "its top is not an object"
    for item, level in _subschemas(schema):
        kinds = item.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if "object" in kinds or "properties" in item:
            required = item.get("required")
            optional = [name for name in item.get("properties") or () if name not in (required or ())]
            if optional:
                return f"the field '{optional[0]}' is not in 'required'"
            if item.get("additionalProperties") is not False:
                return "an object has no 'additionalProperties: false'"
        if "array" in kinds and not isinstance(item.get("items"), Mapping):
            return "a list has no 'items'"
        if not item.keys() & {"type", "anyOf", "$ref", "enum", "const"}:
            return "a value has no 'type'"
        if "$ref" in item and len(item) > 1:
            return "a '$ref' has other keywords next to it"
        if level > _LEVELS:
            return f"it has more than {_LEVELS} levels"
    found = _other_keyword(schema, _OPENAI)
    return f"it has the keyword '{found}'" if found else None


def anthropic_gap(schema: Mapping[str, Any]) -> str | None:
    """Return the first keyword that Anthropic does not enforce; the SDK moves it to the description."""
    return _other_keyword(schema, _ANTHROPIC)


def _other_keyword(schema: Mapping[str, Any], known: frozenset[str]) -> str | None:
    for item, _ in _subschemas(schema):
        for name, value in item.items():
            # Anthropic enforces this much of `minItems`.
            if name not in known and not (name == "minItems" and value in (0, 1)):
                return name
    return None


def _subschemas(schema: Any) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Yield each subschema and its level."""
    stack = [(schema, 0)]
    while stack:
        item, level = stack.pop()
        if isinstance(item, Mapping):
            yield item, level
            for name, value in item.items():
                if name in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
                    stack.extend((inner, level + 1) for inner in value.values())
                elif name in ("anyOf", "allOf", "oneOf") and isinstance(value, list):
                    stack.extend((inner, level) for inner in value)
                elif name == "items":
                    stack.append((value, level + 1))
