"""Why a value does not fit a schema, in one short sentence for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from promptbench.checks._words import quoted
from promptbench.core.types import Json

_CHOICES = ("oneOf", "anyOf")
_VALUE = re.compile(r" is .+, (?=not |none of |which )")
_LENGTH = re.compile(r" has (?:\d+(?= items| characters| fields)|'.+(?=, which))")
_INDEX = re.compile(r"(?:^|(?<=\.))\d+(?=\.|$)")


def reason(validator: Any, value: Json) -> str:
    """What is most wrong with a value that does not fit: the place, what is there, what is wanted."""
    from jsonschema.exceptions import relevance

    return _of(validator, max(validator.iter_errors(value), key=relevance))


def without_values(sentence: str) -> str:
    """A reason without what the answer had there, so that equal mistakes in different answers are equal."""
    place, space, rest = sentence.partition(" ")
    return _LENGTH.sub(" has …", _VALUE.sub(" is …, ", _INDEX.sub("*", place) + space + rest, count=1), count=1)


def _of(validator: Any, error: Any) -> str:
    """Of a choice that nothing fits, the reason of the branch that was meant."""
    path = ".".join(map(str, error.absolute_path))
    place = quoted(path)[1:-1] if path else "the answer"
    if error.validator not in _CHOICES:
        return f"{place} {_said(error)}"
    if not error.context:
        fitting = [number for number, branch in enumerate(error.validator_value) if _fits(validator, branch, error)]
        names = " and ".join(_name(error, number) for number in fitting[:3])
        return f"{place} fits {len(fitting)} choices, {names}, where one is wanted"
    branches: dict[int, list[Any]] = {}
    for one in error.context:
        branches.setdefault(one.relative_schema_path[0], []).append(one)
    ranked = sorted(branches, key=lambda number: _rank(branches[number]))
    of_its_type = [number for number in ranked if not _rank(branches[number])[0]]
    if not of_its_type:
        return f"{place} is {quoted(error.instance)}, {_other_types(branches.values(), len(branches))}"
    if len(ranked) > 1 and _rank(branches[ranked[0]]) == _rank(branches[ranked[1]]):
        names = ", ".join(_name(error, number) for number in ranked[:5])
        return f"{place} is {quoted(error.instance)}, none of the {len(ranked)} choices ({names})"
    from jsonschema.exceptions import relevance

    inner = _of(validator, max(branches[ranked[0]], key=relevance))
    return inner if len(of_its_type) == 1 else f"{inner} (taken as {_name(error, ranked[0])})"


def _rank(errors: Sequence[Any]) -> tuple[bool, bool, int]:
    """The branch that was meant comes first: of the value's type, with its tag (`kind: circle`), with few mistakes."""
    other_type = any(one.validator == "type" and not one.relative_path for one in errors)
    other_tag = any(one.validator in ("const", "enum") and len(one.relative_path) <= 1 for one in errors)
    return other_type, other_tag, len(errors)


def _other_types(branches: Iterable[Sequence[Any]], count: int) -> str:
    wanted = [one.validator_value for errors in branches for one in errors if one.validator == "type"]
    names = [name for item in wanted for name in (item if isinstance(item, list) else [item])]
    if all(isinstance(name, str) for name in names):
        return f"not {' or '.join(dict.fromkeys(names))}"
    return f"none of the {count} choices"


def _fits(validator: Any, branch: Json, error: Any) -> bool:
    return bool(validator.evolve(schema=branch).is_valid(error.instance))


def _name(error: Any, number: int) -> str:
    """What people call a branch: its title, its tag, the definition that it refers to, or its number."""
    branch = error.validator_value[number]
    if isinstance(branch, dict):
        if isinstance(branch.get("title"), str):
            return quoted(branch["title"])
        fields = branch.get("properties")
        for field in fields.values() if isinstance(fields, dict) else ():
            if isinstance(field, dict) and isinstance(field.get("const"), str):
                return quoted(field["const"])
        if isinstance(branch.get("$ref"), str) and (last := branch["$ref"].rpartition("/")[2]):
            return quoted(last)
    return f"choice {number + 1}"


def _said(error: Any) -> str:
    """What is wrong at a place; jsonschema's own words where they are short enough."""
    say = _SAYERS.get(error.validator)
    try:
        said = say(error.validator_value, error.instance) if say else None
    except (TypeError, KeyError):
        # Draft 3 has some of these keywords with other values.
        said = None
    if error.validator is None:
        return f"is {quoted(error.instance)}, which the schema allows nowhere"
    return said or (error.message if error.validator == "additionalProperties" else f"does not fit: {_short(error)}")


def _short(error: Any) -> str:
    return quoted(error.message)[1:-1]


def _is(wanted: Callable[[Json], str]) -> Callable[[Json, Json], str]:
    return lambda keyword, value: f"is {quoted(value)}, {wanted(keyword)}"


def _has(unit: str, word: str) -> Callable[[Json, Json], str]:
    return lambda keyword, value: f"has {len(value)} {unit}, not {word} {keyword}"


def _types(wanted: Json) -> str:
    names = wanted if isinstance(wanted, list) else [wanted]
    if not all(isinstance(name, str) for name in names):
        raise TypeError
    return f"not {' or '.join(names)}"


def _missing(names: Json, value: Json) -> str:
    return f"lacks {', '.join(quoted(name) for name in names if name not in value)}"


_SAYERS: Mapping[str, Callable[[Json, Json], str]] = {
    "type": _is(_types),
    "required": _missing,
    "enum": _is(lambda values: f"none of {quoted(values)}"),
    "const": _is(lambda wanted: f"not {quoted(wanted)}"),
    "minimum": _is(lambda limit: f"not at least {limit}"),
    "maximum": _is(lambda limit: f"not at most {limit}"),
    "exclusiveMinimum": _is(lambda limit: f"not more than {limit}"),
    "exclusiveMaximum": _is(lambda limit: f"not less than {limit}"),
    "multipleOf": _is(lambda step: f"not a multiple of {step}"),
    "pattern": _is(lambda pattern: f"which does not match {quoted(pattern)}"),
    "format": _is(lambda name: f"which is no {name}"),
    "not": _is(lambda _: "which the schema rules out"),
    "minLength": _has("characters", "at least"),
    "maxLength": _has("characters", "at most"),
    "minItems": _has("items", "at least"),
    "maxItems": _has("items", "at most"),
    "minProperties": _has("fields", "at least"),
    "maxProperties": _has("fields", "at most"),
    "uniqueItems": lambda _, value: "repeats an item",
}
"""What is said of a keyword's value and of what is there instead."""
