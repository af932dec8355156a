"""Find the closed lists of values in a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from promptbench.checks._scores import same
from promptbench.core.types import Json

ANY_ITEM = "*"  # A step of a path that stands for every item of a list.

Path = tuple[str, ...]

_DEEPEST = 64


class AllowedValues:
    """The values that a JSON Schema allows at a path, if they are a closed list."""

    def __init__(self, schema: Mapping[str, Json] | None) -> None:
        self._root = schema
        self._known: dict[tuple[int, Path], tuple[Json, ...] | None] = {}

    def at(self, path: Path) -> tuple[Json, ...] | None:
        """Return all values that are allowed there, or None if the schema does not list them."""
        return self._allowed(self._root, path, 0)

    def _allowed(self, schema: Json, path: Path, depth: int) -> tuple[Json, ...] | None:
        # Each part is visited once for a path: references may be circular, or multiply.
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return None
        key = (id(schema), path)
        if key in self._known:
            return self._known[key]
        self._known[key] = None
        lists: list[tuple[Json, ...] | None] = [_here(schema) if not path else self._below(schema, path, depth)]
        lists += (self._allowed(item, path, depth + 1) for item in _items(schema, "allOf"))
        for word in ("anyOf", "oneOf"):
            branches = [self._allowed(branch, path, depth + 1) for branch in _items(schema, word)]
            if branches and None not in branches:
                lists.append(tuple(chain.from_iterable(filter(None, branches))))
        if isinstance(reference := schema.get("$ref"), str):
            lists.append(self._allowed(_resolve(self._root, reference), path, depth + 1))
        closed = [item for item in lists if item is not None]
        if closed:
            self._known[key] = tuple(
                value for value in closed[0] if all(any(same(value, one) for one in other) for other in closed[1:])
            )
        return self._known[key]

    def _below(self, schema: Mapping[str, Json], path: Path, depth: int) -> tuple[Json, ...] | None:
        step, rest = path[0], path[1:]
        kinds = _types(schema)
        if kinds and not kinds & {"object", "array"}:
            return ()
        if step == ANY_ITEM:
            return None if "prefixItems" in schema else self._allowed(schema.get("items"), rest, depth + 1)
        properties = schema.get("properties")
        if isinstance(properties, Mapping) and step in properties:
            return self._allowed(properties[step], rest, depth + 1)
        others = None if "patternProperties" in schema else schema.get("additionalProperties")
        return self._allowed(others, rest, depth + 1)


def _here(schema: Mapping[str, Json]) -> tuple[Json, ...] | None:
    if isinstance(schema.get("enum"), list):
        return tuple(schema["enum"])
    if "const" in schema:
        return (schema["const"],)
    kinds = _types(schema)
    if kinds and kinds <= {"boolean", "null"}:
        return (*((True, False) if "boolean" in kinds else ()), *((None,) if "null" in kinds else ()))
    return None


def _items(schema: Mapping[str, Json], word: str) -> list[Json]:
    return schema[word] if isinstance(schema.get(word), list) else []


def _types(schema: Mapping[str, Json]) -> set[str]:
    kind = schema.get("type")
    return {name for name in (kind if isinstance(kind, list) else [kind]) if isinstance(name, str)}


def _resolve(root: Json, reference: str) -> Json:
    if reference == "#":
        return root
    for step in reference[2:].split("/") if reference.startswith("#/") else ("",):
        name = step.replace("~1", "/").replace("~0", "~")
        root = root.get(name) if isinstance(root, Mapping) else None
    return root
