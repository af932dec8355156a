"""A suite file's parts as pydantic models, and what is wrong with them in the author's words."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from promptbench.core.diagnostics import Code, Diagnostics, did_you_mean
from promptbench.core.types import Json
from promptbench.suite.models import (
    GateFile,
    Marked,
    MessageFile,
    ModelFile,
    QuarantineFile,
    TagFile,
    field_name,
    path_in_file,
)

_File = TypeVar("_File", bound=BaseModel)


def validated(
    kind: type[_File], value: Json, path: tuple[str | int, ...], document: Marked, found: Diagnostics
) -> _File | None:
    """`value`, which stands at `path`, as `kind`; None when it is not one.

    Unknown keys are reported and left out, so that the rest is still looked at.
    """
    keys_once(kind, value, path, document, found)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    unknown = [path_in_file(item["loc"], value) for item in problems if item["type"] == "extra_forbidden"]
    guessed = {
        _report(item, kind, value, path, document, found, ()) for item in problems if item["type"] == "extra_forbidden"
    }
    others = [item for item in problems if item["type"] != "extra_forbidden"]
    for item in others:
        _report(item, kind, value, path, document, found, guessed)
    return None if others else kind.model_validate(_without(value, unknown))


def keys_once(
    kind: type[BaseModel], value: Json, path: tuple[str | int, ...], document: Marked, found: Diagnostics
) -> None:
    """Reports a key that is there in two spellings, such as `should be` and `should_be`."""
    if not isinstance(value, dict) or len({field_name(key) for key in value}) == len(value):
        return
    first: dict[str, str] = {}
    for key in value:
        name = field_name(key)
        other = first.setdefault(name, key)
        if other != key and name in kind.model_fields:
            place = document.place((*path, key), key=True)
            message = f"'{key}' is the same as '{other}', so it is here twice"
            related = document.place((*path, other), key=True)
            found.add(Code.DUPLICATE_KEY, message, place, hint="keep one of the two", related=related)


def _without(value: Json, paths: list[tuple[str | int, ...]]) -> Json:
    value = copy.deepcopy(value)
    for path in paths:
        holder = value
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
    return value


_SHARES = ("format floor", "answer floor", "floor", "margin", "threshold")
_SPOKEN = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_TIME = "a time such as '7 days' or '12 hours'"
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number or a percentage such as 95%",
    "bool_type": "true or false",
    "list_type": "a list (lines that start with '- ')",
    "dict_type": "'name: value' lines",
    "model_type": "'name: value' lines",
}


def _report(
    item: Any,
    kind: type[BaseModel],
    root: Json,
    prefix: tuple[str | int, ...],
    document: Marked,
    found: Diagnostics,
    guessed: Collection[str | None],
) -> str | None:
    """One pydantic error as a diagnostic in the author's words. Returns the key that was probably meant, if any.

    A key in `guessed` is not reported as missing: the slip that stands for it has been.
    """
    loc = item["loc"]
    path = (*prefix, *path_in_file(loc, root))
    key = str(loc[-1]).replace("_", " ") if loc else ""
    value = item.get("input")
    match item["type"]:
        case "extra_forbidden":
            known = [name.replace("_", " ") for name in _fields_at(kind, loc)]
            guess = did_you_mean(key, known)
            hint = f"did you mean '{guess}'?" if guess else f"known here: {', '.join(known)}"
            before_colon = str(path[-1]).partition(":")[0]
            if before_colon in known:
                hint = f"put a space after the colon: '{before_colon}: …'"
            found.add(Code.UNKNOWN_KEY, f"'{path[-1]}' is not a known key", document.place(path, key=True), hint=hint)
            return guess
        case "missing":
            if key not in guessed:
                hint = _MISSING.get(key, f"add a line '{key}: …'")
                found.add(Code.MISSING_KEY, f"'{key}:' is missing", document.place(path[:-1]), hint=hint)
        case "list_type" | "dict_type" | "model_type" if value is None and loc and isinstance(loc[-1], str):
            hint = "write the first one below it, or delete the line"
            if path == ("cases",):
                hint = "write at least one case below it: '- case: what it is about'"
            found.add(Code.MISSING_KEY, f"nothing is written after '{path[-1]}:'", document.place(path), hint=hint)
        case wrong if wrong in _EXPECTED:
            name = f"'{key}'" if loc and isinstance(loc[-1], str) else _item_name(loc)
            expected = _TIME if key == "max age" else _EXPECTED[wrong]
            message = f"{name} must be {expected}, not {_described(value)}"
            instead = _type_hint(key, wrong, value) if loc else _case_hint(value)
            found.add(Code.WRONG_TYPE, message, document.place(path), hint=instead)
        case _:
            name = f"'{key}': " if loc and isinstance(loc[-1], str) else ""
            found.add(Code.BAD_VALUE, f"{name}{_reason(item)}", document.place(path), hint=_value_hint(key, value))
    return None


def _item_name(loc: tuple[str | int, ...]) -> str:
    """What an entry of a list is called; a case is the only thing that is validated on its own."""
    return (
        {"checks": "a check", "messages": "a message", "models": "a model"}.get(str(loc[0]), "this")
        if loc
        else "a case"
    )


def _case_hint(value: Json) -> str:
    return f"write it as '- case: {value}'" if isinstance(value, str) else "write it as '- case: what it is about'"


def _type_hint(key: str, wrong: str, value: Json) -> str | None:
    if key == "was" and isinstance(value, (dict, list)):
        return "the logged answer is kept as text: put it in single quotes, '…'"
    if wrong == "bool_type" and str(value).lower() in _SPOKEN:
        return f"'{value}' is text in this file: write {_SPOKEN[str(value).lower()]}"
    if key == "vars":
        return "write the names that the prompt has between braces, each with its value: 'vars: {message: …}'"
    if key == "cases" and isinstance(value, dict):
        return "start each case with '- case: NAME'"
    return None


def _value_hint(key: str, value: Json) -> str | None:
    if key in _SHARES and isinstance(value, (int, float)) and 1 < value <= 100:
        return f"if you mean percent, write {value}%"
    return None


def _reason(item: Any) -> str:
    context = item.get("ctx") or {}
    match item["type"]:
        case "literal_error":
            return f"this must be {context['expected']}"
        case "string_too_short":
            return "this must not be empty"
        case "too_short":
            return "this needs at least one entry"
        case "greater_than_equal":
            return f"this must be at least {context['ge']:g}"
        case "greater_than":
            return f"this must be more than {context['gt']:g}"
        case "less_than_equal":
            return f"this must be at most {context['le']:g}"
        case _:
            return str(item["msg"])


_MISSING = {
    "suite": "add a line 'suite: NAME' at the top",
    "prompt": "add a line 'prompt: FILE.prompt'",
    "models": "add a line 'models: [provider/name]'",
    "case": "give the case a name: 'case: what it is about'",
    "owner": "name who looks after the case: 'owner: …'",
    "reason": "say why the case cannot be relied on: 'reason: …'",
    "review by": "set the day on which its owner looks at it again: 'review by: 2026-12-31'",
}


def _described(value: Json) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case dict():
            return "'name: value' lines"
        case list():
            return "a list"
        case str():
            return f"the text '{value if len(value) <= 30 else value[:29] + '…'}'"
        case _:
            return f"the number {str(value)[:30]}"


def _fields_at(kind: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    nested: dict[str, type[BaseModel]] = {
        "gate": GateFile,
        "tags": TagFile,
        "models": ModelFile,
        "messages": MessageFile,
        "quarantine": QuarantineFile,
    }
    for step in loc[:-1]:
        kind = nested.get(str(step), kind)
    return list(kind.model_fields)
