"""Say why a value does not fit a schema, in one short sentence."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from promptbench.core.types import Json
from promptbench.core.words import mismatch, quoted

_OWN_WORDS = ("additionalProperties", "unevaluatedProperties", "unevaluatedItems")
_GOT = re.compile(r"(, got |unexpected )(?:'.+'|.+?)(?= \(taken as .+\)\Z|\Z)")
# Of more errors than these the first are enough to name the worst.
_MOST_ERRORS = 1_000
_INDEX = re.compile(r"(?:\A|(?<=\.))\d+(?=\.|\Z)")


def reason(validator: Any, value: Json) -> str:
    """Return what is most wrong with a value that does not fit: the path, what is expected, what is there."""
    return _reason(_worst(_errors(validator, value)), ())


def _errors(validator: Any, value: Json) -> list[Any]:
    return list(islice(validator.iter_errors(value), _MOST_ERRORS))


def _worst(errors: Iterable[Any]) -> Any:
    from jsonschema import exceptions

    def rank(error: Any) -> Any:
        try:
            # In draft 3 a type may be a schema, which jsonschema does not expect here.
            return exceptions.relevance(error)
        except TypeError:
            return -len(error.path), error.path, True, False, True

    return max(errors, key=rank)


def without_values(sentence: str) -> str:
    """Return a reason without the answer's values, so that equal errors in different answers are equal."""
    path, colon, rest = sentence.partition(": ")
    return _INDEX.sub("*", path) + colon + _GOT.sub(r"\1…", rest) if colon else _GOT.sub(r"\1…", sentence)


def _reason(error: Any, above: tuple[Json, ...]) -> str:
    place = (*above, *error.absolute_path)
    path = quoted(".".join(map(str, place)))[1:-1]
    branches = getattr(error, "branches", None)
    if branches is None:
        return f"{path}: {_message(error)}" if path else _message(error)
    fitting = [number for number, branch in enumerate(branches) if branch.is_valid(error.instance)]
    if fitting:
        names = " and ".join(_name(error, number) for number in fitting[:3])
        return mismatch(path, "a value that fits one choice", f"one that fits {len(fitting)}: {names}")
    by_branch = {number: _errors(branch, error.instance) for number, branch in enumerate(branches)}
    ranked = sorted(by_branch, key=lambda number: _rank(by_branch[number]))
    of_its_type = [number for number in ranked if not _rank(by_branch[number])[0]]
    if not of_its_type:
        return mismatch(path, _other_types(by_branch.values(), len(by_branch)), quoted(error.instance))
    if len(ranked) > 1 and _rank(by_branch[ranked[0]]) == _rank(by_branch[ranked[1]]):
        names = ", ".join(_name(error, number) for number in ranked[:5])
        return mismatch(path, f"one of {len(ranked)} choices ({names})", quoted(error.instance))
    inner = _reason(_worst(by_branch[ranked[0]]), place)
    # In nested choices only the innermost is named.
    if len(of_its_type) == 1 or "(taken as " in inner:
        return inner
    return f"{inner} (taken as {_name(error, ranked[0])})"


def _rank(errors: Sequence[Any]) -> tuple[bool, bool, int]:
    # The branch that was meant comes first: of the value's type, with its tag (`kind: circle`), with few errors.
    other_type = any(one.validator == "type" and not one.relative_path for one in errors)
    other_tag = any(one.validator in ("const", "enum") and len(one.relative_path) <= 1 for one in errors)
    return other_type, other_tag, len(errors)


def _other_types(branches: Iterable[Sequence[Any]], count: int) -> str:
    wanted = [one.validator_value for errors in branches for one in errors if one.validator == "type"]
    names = [name for item in wanted for name in (item if isinstance(item, list) else [item])]
    all_named = all(isinstance(name, str) for name in names)
    return " or ".join(dict.fromkeys(names)) if all_named else f"one of {count} choices"


def _name(error: Any, number: int) -> str:
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


def _message(error: Any) -> str:
    write = _MESSAGES.get(error.validator)
    try:
        message = write(error.validator_value, error.instance) if write else None
    except (TypeError, KeyError):
        # Draft 3 has some of these keywords with other values.
        message = None
    if error.validator is None:
        return mismatch("", "no value", quoted(error.instance))
    # jsonschema's own message of the other keywords, cut, because it may contain the whole value.
    return message or (
        error.message if error.validator in _OWN_WORDS else f"does not fit: {quoted(error.message)[1:-1]}"
    )


def _is(expected: Callable[[Json], str]) -> Callable[[Json, Json], str]:
    return lambda keyword, value: mismatch("", expected(keyword), quoted(value))


def _has(unit: str, word: str) -> Callable[[Json, Json], str]:
    return lambda keyword, value: mismatch("", f"{word} {keyword} {unit}", str(len(value)))


def _types(wanted: Json) -> str:
    return " or ".join(wanted if isinstance(wanted, list) else [wanted])


# By keyword, the message for its value in the schema and the value in the answer.
_MESSAGES: Mapping[str, Callable[[Json, Json], str]] = {
    "type": _is(_types),
    "required": lambda names, value: f"missing {', '.join(quoted(name) for name in names if name not in value)}",
    "enum": _is(lambda values: f"one of {quoted(values)}"),
    "const": _is(quoted),
    "minimum": _is(lambda limit: f"at least {limit}"),
    "maximum": _is(lambda limit: f"at most {limit}"),
    "exclusiveMinimum": _is(lambda limit: f"more than {limit}"),
    "exclusiveMaximum": _is(lambda limit: f"less than {limit}"),
    "multipleOf": _is(lambda step: f"a multiple of {step}"),
    "pattern": _is(lambda pattern: f"a match of {quoted(pattern)}"),
    "format": _is(lambda name: f"a valid {name}"),
    "not": _is(lambda _: "a value that the schema does not exclude"),
    "minLength": _has("characters", "at least"),
    "maxLength": _has("characters", "at most"),
    "minItems": _has("items", "at least"),
    "maxItems": _has("items", "at most"),
    "minProperties": _has("fields", "at least"),
    "maxProperties": _has("fields", "at most"),
    "uniqueItems": lambda _, value: "an item is repeated",
}
