"""Run jsonschema in bounded time: replace its keywords that use `re` or compare all pairs, and keep its validators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema

from promptbench.checks._patterns import SECONDS, compiled
from promptbench.checks._scores import quoted
from promptbench.plugins import Json


def _search(pattern: str, text: str) -> bool:
    return compiled(pattern).search(text, timeout=SECONDS) is not None


_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def _type(usual: Callable[..., Any]) -> Callable[..., Any]:
    # Return the keyword without jsonschema's look-ups for a plain value; `true` is not a number.
    def of_type(validator: Any, wanted: Json, instance: Json, schema: Json) -> Any:
        if isinstance(wanted, str) and type(instance) in _TYPES.get(wanted, ()):
            return ()
        return usual(validator, wanted, instance, schema)

    return of_type


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
        yield jsonschema.ValidationError(f"unexpected {', '.join(map(quoted, extra[:5]))}")


def _unique(validator: Any, wanted: Json, instance: Json, schema: Json) -> Iterator[Any]:
    # In linear time: jsonschema compares every item with every other.
    if wanted is True and isinstance(instance, list) and len({_key(item) for item in instance}) < len(instance):
        yield jsonschema.ValidationError("an item is repeated")


def _key(value: Json) -> Json:
    # Return a key that is equal for what JSON Schema calls equal: 1 and 1.0, but not 1 and true.
    if isinstance(value, dict):
        return ("object", frozenset((key, _key(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("array", tuple(_key(item) for item in value))
    return ("boolean", value) if isinstance(value, bool) else value


def bounded(kind: Any, resolve: Callable[[str], Json] | None) -> Any:
    """Return the validator class `kind` with these keywords instead of its own, for validators of one schema only.

    With `resolve` it keeps what jsonschema rebuilds for every value: the validator of each subschema, and the target
    of each reference, which `resolve` returns (or raises LookupError). That is three quarters of the time. It is
    correct if a subschema means the same wherever it is referred to: one base address, and no dynamic references.
    """
    extend: Any = jsonschema.validators.extend
    keywords = {
        "type": _type(kind.VALIDATORS["type"]),
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique,
    }
    if resolve is None:
        return extend(kind, keywords)
    made = extend(kind, {**keywords, "$ref": _reference(kind.VALIDATORS["$ref"], resolve)})
    made.evolve, made.descend = _kept(made.evolve), _descend
    return made


def _kept(evolve: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[int, Any] = {}

    def kept(self: Any, **changes: Any) -> Any:
        if changes.keys() != {"schema"}:
            return evolve(self, **changes)
        schema = changes["schema"]
        found = known.get(id(schema))
        if found is None:
            # The validator holds the schema, so no other object gets its id.
            found = known[id(schema)] = evolve(self, schema=schema)
        return found

    return kept


def _descend(
    self: Any, instance: Json, schema: Json, path: Json = None, schema_path: Json = None, resolver: Any = None
) -> Iterator[Any]:
    # As jsonschema's own, which leaves the path out if the subschema is `false`.
    for error in self.evolve(schema=schema).iter_errors(instance):
        if path is not None:
            error.path.appendleft(path)
        if schema_path is not None:
            error.schema_path.appendleft(schema_path)
        yield error


def _reference(follow: Callable[..., Any], resolve: Callable[[str], Json]) -> Callable[..., Any]:
    known: dict[str, Json] = {}

    def reference(validator: Any, reference: str, instance: Json, schema: Json) -> Any:
        try:
            if reference not in known:
                known[reference] = resolve(reference)
        except LookupError:
            return follow(validator, reference, instance, schema)
        return validator.descend(instance, known[reference])

    return reference
