"""Run jsonschema in bounded work, whatever the schema and the answer are.

jsonschema looks for all errors of a branch before it tries the next, so its time can double with each level of a
recursive schema. Here a value is only tested, the result for each pair of subschema and value is remembered, and the
steps of a whole validation are counted. Errors are listed afterwards, for the branch that was meant. Keywords that use
`re` or compare all pairs are replaced as well, and the validators of subschemas are kept, with a test for each keyword
that makes no error. Of a keyword without a test of its own, jsonschema's first error is looked for.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from itertools import repeat
from typing import Any

import jsonschema
from jsonschema.validators import validator_for
from referencing.exceptions import Unresolvable
from referencing.jsonschema import lookup_recursive_ref, specification_with

from promptbench.core.types import Json
from promptbench.core.words import quoted
from promptbench.schemas.patterns import FIXED_LENGTH, SECONDS, compiled
from promptbench.schemas.reasons import reason

# A step is one keyword, or one entry of a keyword such as `properties`, applied to one value; and one member of a value
# that has some. A count is the same on every machine, so a verdict does not depend on its speed.
_MOST_STEPS = 5_000_000
_STEPS_TO_BUILD = 30  # A validator that cannot be kept takes this much of the time of a step.
_SMALL = 20  # Subschemas of fewer steps that apply no others are counted as members of the value around theirs.

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
# Keywords that apply other schemas, or are slow. The others come first, because they decide most cases alone.
_DEEP = frozenset(
    {
        *_REFERENCES, "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "dependencies", "extends", "disallow",
        "properties", "patternProperties", "additionalProperties", "propertyNames", "items", "prefixItems",
        "additionalItems", "contains", "uniqueItems", "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip


class _TooManySteps(Exception):
    """A validation needed more than _MOST_STEPS."""


@dataclass(slots=True)
class _Kept:
    """What is built once for a schema, by the id of its part: validators, their tests, targets of references."""

    validators: dict[int, Any] = field(default_factory=dict)
    tests: dict[int, Sequence["Test"]] = field(default_factory=dict)
    targets: dict[int, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Work:
    """The state of one validation. `results` are by the ids of a kept validator and of a value."""

    kept: _Kept | None
    steps: int = _MOST_STEPS
    seconds: float = SECONDS  # of this thread's CPU, for all patterns together
    results: dict[tuple[int, int], bool] = field(default_factory=dict)


# A keyword of a kept subschema: returns True if a value fits it. Most values fit, and then no error is looked for.
Test = Callable[[Any, _Work], bool]
# Of the validation that runs in this thread; jsonschema's keywords have no parameter for it.
_WORK: ContextVar[_Work] = ContextVar("_WORK")


class BoundedSchema:
    """A schema that is ready to validate values of any size, in any thread.

    `static` means that each subschema means the same wherever it is referred to: there are no dynamic references.
    Only then can validators and results be kept.
    """

    def __init__(self, kind: Any, schema: Json, *, static: bool, registry: Any, format_checker: Any) -> None:
        self._kept = _Kept() if static else None
        self._root = bounded(kind)(schema, registry=registry, format_checker=format_checker)

    def problem(self, value: Json) -> str | None:
        """Return the most telling reason why a value does not fit, or cannot be validated. None if it fits."""
        try:
            return self.misfit(value)
        except ValueError as error:
            return str(error)

    def misfit(self, value: Json) -> str | None:
        """Return the most telling reason why a value does not fit, None if it does. Raise ValueError if not known."""
        token = _WORK.set(_Work(self._kept))
        try:
            root = self._root.evolve(schema=self._root.schema, _resolver=self._root._resolver)
            return None if root.is_valid(value) else _reason(root, value)
        except _TooManySteps:
            raise ValueError(
                f"not validated: it takes more than {_MOST_STEPS:,} steps to validate this answer by this schema"
            ) from None
        except (TimeoutError, MemoryError):
            raise ValueError(
                f"not validated: the patterns of the schema need more than {SECONDS:g} s on this answer"
            ) from None
        except Unresolvable:
            raise ValueError("the target of a reference in the schema is not found") from None
        except BaseException as error:
            # At the limit, code in Rust below jsonschema panics, by an exception that has no name to import.
            if type(error).__name__ not in ("RecursionError", "PanicException"):
                raise
            raise ValueError(
                "the answer is nested too deeply for this schema, or the schema refers to itself endlessly"
            ) from None
        finally:
            _WORK.reset(token)


def _reason(root: Any, value: Json) -> str:
    work = _WORK.get()
    work.steps, work.seconds = _MOST_STEPS, SECONDS
    try:
        return reason(root, value)
    except (_TooManySteps, TimeoutError):
        return "does not fit the schema; to list the reasons takes too long"


@lru_cache(maxsize=16)
def bounded(kind: Any) -> Any:
    """Return the validator class `kind` with bounded keywords. It works only inside a BoundedSchema."""
    extend: Any = jsonschema.validators.extend
    own: dict[str, Any] = {
        **{name: _reference(name) for name in _REFERENCES},
        "type": _type(kind.VALIDATORS["type"]),
        "enum": _enum,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique,
        "anyOf": _any_of,
        "oneOf": _one_of,
        "unevaluatedItems": _unevaluated,
        "unevaluatedProperties": _unevaluated,
    }
    made = extend(kind, {name: keyword for name, keyword in own.items() if name in kind.VALIDATORS})
    create_resource = specification_with(kind.META_SCHEMA["$schema"]).create_resource

    def evolve(self: Any, *, schema: Json, _resolver: Any = None) -> Any:
        kept = _WORK.get().kept
        found = kept.validators.get(id(schema)) if kept else None
        if found is None:
            # jsonschema itself forgets a base address in a branch, and would take an unbounded class for a `$schema`.
            resolver, cls = _resolver or self._resolver, made
            if isinstance(schema, dict):
                resolver = _resolver or resolver.in_subresource(create_resource(schema))
                cls = bounded(validator_for(schema, default=kind)) if "$schema" in schema else made
            found = cls(schema, registry=self._registry, format_checker=self.format_checker, _resolver=resolver)
            found._validators = sorted(map(_tags_first, found._validators), key=_is_deep)
            if (size := _size(schema)) > _SMALL or any(map(_is_deep, found._validators)):
                found._validators.insert(0, (_spend, "", size))
            if kept:
                # The validator holds the schema, so no other object gets its id.
                kept.validators[id(schema)] = found
            else:
                _spend(self, _STEPS_TO_BUILD, schema, schema)
        return found

    made.evolve, made.descend = evolve, _descend
    usual = made.iter_errors

    def is_valid(self: Any, instance: Json) -> bool:
        work = _WORK.get()
        if work.kept is None:
            return next(usual(self, instance), None) is None
        return _fits(work.kept, self, instance, work)

    made.is_valid = is_valid
    return made


def _fits(kept: _Kept, validator: Any, value: Json, work: _Work) -> bool:
    key = (id(validator), id(value))
    found = work.results.get(key)
    if found is None:
        found = work.results[key] = _pass([(_tests(kept, validator, validator.schema), value)], work)
    return found


def _pass(values: Iterable[tuple[Sequence[Test], Json]], work: _Work) -> bool:
    # Return whether each value passes its tests. Loops nest deeper than `all` before Python's limit, and are faster.
    for tests, value in values:
        for test in tests:
            if not test(value, work):
                return False
    return True


def _tests(kept: _Kept, validator: Any, schema: Json) -> Sequence[Test]:
    # Return the tests of a subschema of a validator, or of its own schema.
    found = kept.tests.get(id(schema))
    if found is None:
        inner = validator.evolve(schema=schema)
        found = kept.tests[id(schema)] = (
            [lambda value, work: False]
            if schema is False
            else [_test(kept, inner, *item) for item in inner._validators]
        )
    return found


def _test(kept: _Kept, validator: Any, keyword: Callable[..., Any], name: str, wanted: Any) -> Test:
    schema = validator.schema
    # In older drafts, some keywords mean something else.
    same = keyword is jsonschema.Draft202012Validator.VALIDATORS.get(name)

    def usual(value: Json, work: _Work) -> bool:
        errors = keyword(validator, wanted, value, schema)
        return not errors or next(iter(errors), None) is None

    match name:
        case "$ref":
            return partial(_fits, kept, _target(validator, name, schema))
        case "type":
            names = [wanted] if isinstance(wanted, str) else [one for one in wanted if isinstance(one, str)]
            types = {kind for one in names for kind in _TYPES.get(one, ())}
            return lambda value, work: type(value) in types or usual(value, work)
        case "enum":
            keys = frozenset(map(_key, wanted))
            return lambda value, work: _key(value) in keys
        case "properties" if same:
            # Built when a value has them: a schema may be much larger than the answer.
            members = cache(lambda: [(key, _tests(kept, validator, inner)) for key, inner in wanted.items()])
            return lambda value, work: (
                not isinstance(value, dict)
                or _pass(((tests, value[key]) for key, tests in members() if key in value), work)
            )
        case "items" if isinstance(wanted, dict) and "prefixItems" not in schema:
            return lambda value, work: (
                not isinstance(value, list) or _pass(zip(repeat(_tests(kept, validator, wanted)), value), work)
            )
        case "additionalProperties" if wanted is False and "patternProperties" not in schema:
            known = schema.get("properties", {}).keys()
            return lambda value, work: not isinstance(value, dict) or value.keys() <= known
        case "required" if same:
            return lambda value, work: not isinstance(value, dict) or all(key in value for key in wanted)
        case "pattern" if FIXED_LENGTH.fullmatch(wanted):
            found = compiled(wanted).search
            return lambda value, work: not isinstance(value, str) or found(value) is not None
        case "minimum" if same:
            return lambda value, work: type(value) not in (int, float) or not value < wanted
        case "maximum" if same:
            return lambda value, work: type(value) not in (int, float) or not value > wanted
        case "minLength":
            return lambda value, work: not isinstance(value, str) or len(value) >= wanted
        case "maxLength":
            return lambda value, work: not isinstance(value, str) or len(value) <= wanted
    return usual


def _spend(validator: Any, steps: int, instance: Json, schema: Json) -> Any:
    work = _WORK.get()
    work.steps -= steps + len(instance) if isinstance(instance, (dict, list)) else steps
    if work.steps < 0:
        raise _TooManySteps
    return ()


def _size(schema: Json) -> int:
    members = schema.items() if isinstance(schema, dict) else ()
    return 1 + sum(len(value) if isinstance(value, (dict, list)) and name != "enum" else 1 for name, value in members)


def _is_deep(item: tuple[Any, str, Json]) -> bool:
    return item[1] in _DEEP


def _tags_first(item: tuple[Any, str, Json]) -> tuple[Any, str, Json]:
    # A field with one right value says at once that another branch was meant.
    keyword, name, value = item
    if name != "properties":
        return item
    ordered = sorted(
        value.items(), key=lambda pair: not (isinstance(pair[1], dict) and pair[1].keys() & {"const", "enum"})
    )
    return keyword, name, dict(ordered)


def _descend(
    self: Any, instance: Json, schema: Json, path: Json = None, schema_path: Json = None, resolver: Any = None
) -> Iterator[Any]:
    # As jsonschema's own, which leaves the path out if the subschema is `false`.
    for error in self.evolve(schema=schema, _resolver=resolver).iter_errors(instance):
        if path is not None:
            error.path.appendleft(path)
        if schema_path is not None:
            error.schema_path.appendleft(schema_path)
        yield error


def _target(validator: Any, name: str, schema: Json) -> Any:
    # Return the validator of what a reference refers to.
    kept = _WORK.get().kept
    targets = kept.targets if kept else {}
    if id(schema) not in targets:
        resolver = validator._resolver
        try:
            resolved = lookup_recursive_ref(resolver) if name == "$recursiveRef" else resolver.lookup(schema[name])
        except (ValueError, TypeError):
            raise Unresolvable(ref=schema[name]) from None
        targets[id(schema)] = validator.evolve(schema=resolved.contents, _resolver=resolved.resolver)
    return targets[id(schema)]


def _reference(name: str) -> Callable[..., Iterator[Any]]:
    def reference(validator: Any, value: Json, instance: Json, schema: Json) -> Iterator[Any]:
        target = _target(validator, name, schema)
        if not (_WORK.get().kept and target.is_valid(instance)):
            yield from target.iter_errors(instance)

    return reference


def _any_of(validator: Any, branches: list[Json], instance: Json, schema: Json) -> Iterator[Any]:
    inner = [validator.evolve(schema=branch) for branch in branches]
    if not any(branch.is_valid(instance) for branch in inner):
        yield _choice_error(inner)


def _one_of(validator: Any, branches: list[Json], instance: Json, schema: Json) -> Iterator[Any]:
    inner = [validator.evolve(schema=branch) for branch in branches]
    fitting = (branch for branch in inner if branch.is_valid(instance))
    if next(fitting, None) is None or next(fitting, None) is not None:
        yield _choice_error(inner)


def _choice_error(branches: list[Any]) -> Any:
    # The reason lists the errors of the branches, if it is asked for.
    error: Any = jsonschema.ValidationError("fits no choice, or several")
    error.branches = branches
    return error


def _search(pattern: str, text: str) -> bool:
    work = _WORK.get()
    began = time.thread_time()
    try:
        return compiled(pattern).search(text, timeout=max(work.seconds, 0.001)) is not None
    finally:
        work.seconds -= time.thread_time() - began


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
    # Return the keyword for draft 3, in which a type may be a schema.
    def of_type(validator: Any, wanted: Json, instance: Json, schema: Json) -> Any:
        if isinstance(wanted, list) and any(
            validator.evolve(schema=one).is_valid(instance) for one in wanted if isinstance(one, dict)
        ):
            return ()
        return usual(validator, wanted, instance, schema)

    return of_type


def _enum(validator: Any, values: list[Json], instance: Json, schema: Json) -> Iterator[Any]:
    _spend(validator, len(values), instance, schema)
    if _key(instance) not in map(_key, values):
        yield jsonschema.ValidationError(f"{quoted(instance)} is not one of {quoted(values)}")


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


def _unevaluated(validator: Any, wanted: Json, instance: Json, schema: Json) -> Iterator[Any]:
    name = "unevaluatedProperties" if isinstance(instance, dict) else "unevaluatedItems"
    if not isinstance(instance, (dict, list)) or schema.get(name) is not wanted:
        return
    seen = _evaluated(validator, instance, name)
    rest = [key for key in (instance if isinstance(instance, dict) else range(len(instance))) if key not in seen]
    if wanted is False and rest:
        items = "" if isinstance(instance, dict) else "items "
        yield jsonschema.ValidationError(f"unexpected {items}{', '.join(map(quoted, rest[:5]))}")
        return
    for key in rest:
        yield from validator.descend(instance[key], wanted, path=key)


def _evaluated(validator: Any, instance: Json, own: str = "") -> set[Json]:
    """Return the keys or indexes that a schema evaluates in a valid value, without its keyword `own`."""
    schema = validator.schema
    if not isinstance(schema, dict):
        return set()
    _spend(validator, _size(schema), instance, schema)
    found: set[Json] = set()
    for inner in _in_place(validator, schema, instance):
        found |= _evaluated(inner, instance)
    if isinstance(instance, dict):
        if schema.keys() & {"additionalProperties", "unevaluatedProperties"} - {own}:
            return set(instance)
        found |= schema.get("properties", {}).keys() & instance.keys()
        patterns = schema.get("patternProperties", ())
        return found | {key for key in instance if any(_search(pattern, key) for pattern in patterns)}
    everything = range(len(instance))
    items, first = schema.get("items"), schema.get("prefixItems", ())
    if isinstance(items, list):  # until 2019-09
        items, first = schema.get("additionalItems"), items
    if items is not None or schema.keys() & {"unevaluatedItems"} - {own}:
        return set(everything)
    if "contains" in schema and "$recursiveRef" not in validator.VALIDATORS:  # since 2020-12
        one = validator.evolve(schema=schema["contains"])
        found.update(index for index in everything if one.is_valid(instance[index]))
    return found | set(everything[: len(first)])


def _in_place(validator: Any, schema: dict[str, Json], instance: Json) -> Iterator[Any]:
    # Yield the validators that apply to the value itself, as far as it fits them.
    yield from (
        _target(validator, name, schema) for name in _REFERENCES if name in schema and name in validator.VALIDATORS
    )
    for name in ("allOf", "anyOf", "oneOf"):
        for branch in schema.get(name, ()):
            inner = validator.evolve(schema=branch)
            if inner.is_valid(instance):
                yield inner
    for name, inner in schema.get("dependentSchemas", {}).items():
        if name in instance:
            yield validator.evolve(schema=inner)
    if "if" in schema:
        condition = validator.evolve(schema=schema["if"])
        fits = condition.is_valid(instance)
        yield from [condition] if fits else []
        if (then := "then" if fits else "else") in schema:
            yield validator.evolve(schema=schema[then])


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
