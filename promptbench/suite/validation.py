"""A suite file's parts as pydantic models, and what is wrong with them in the author's words."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from promptbench.core.diagnostics import Code, Diagnostics
from promptbench.core.types import Json
from promptbench.suite.hints import (
    ODD,
    case_hint,
    key_hint,
    key_mend,
    known_key,
    message_hint,
    type_hint,
    type_mend,
    value_hint,
)
from promptbench.suite.models import (
    CHECK_OPTIONS,
    READINGS,
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
            location = document.location((*path, key), key=True)
            message = f"'{key}' is the same as '{other}', so it is here twice"
            related = document.location((*path, other), key=True)
            found.add(Code.DUPLICATE_KEY, message, location, hint="keep one of the two", related=related)


def _without(value: Json, paths: list[tuple[str | int, ...]]) -> Json:
    value = copy.deepcopy(value)
    for path in paths:
        holder = value
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
    return value


_TIME = "a time such as '7 days' or '12 hours'"
_KEYED = {"max age": _TIME, "max cost": "an amount of dollars such as $2 or 2.50"}
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
    hint: str | None
    match item["type"]:
        case "extra_forbidden":
            return _report_key(kind, loc, path, value, document, found)
        case "missing":
            if key not in guessed:
                hint = _MISSING.get(key, f"add a line '{key}: …'")
                found.add(Code.MISSING_KEY, f"'{key}:' is missing", document.location(path[:-1]), hint=hint)
        case wrong if wrong in _EXPECTED and value is None and loc and isinstance(loc[-1], str):
            hint = _EMPTY.get(key, "write something there, or delete the line")
            if wrong in ("list_type", "dict_type", "model_type"):
                hint = _EMPTY.get(key, "write the first one below it, or delete the line")
            found.add(Code.MISSING_KEY, f"nothing is written after '{path[-1]}:'", document.location(path), hint=hint)
        case wrong if wrong in _EXPECTED:
            name = f"'{key}'" if loc and isinstance(loc[-1], str) else _item_name(loc)
            expected = _KEYED.get(key, _EXPECTED[wrong])
            message = f"{name} must be {expected}, not {_described(value)}"
            hint, mend = _instead(loc, key, wrong, value), type_mend(wrong, value)
            found.add(Code.WRONG_TYPE, message, document.location(path), hint=hint, mend=mend)
        case option if option in CHECK_OPTIONS:
            written = next(name for name in value if field_name(name) == option)
            choices = [choice for choice in READINGS if choice] if option == "reading" else []
            hint = value_hint(option, option, value[written], choices)
            found.add(Code.BAD_VALUE, _reason(item), document.location((*path, written)), hint=hint)
        case wrong:
            name = f"'{key}': " if loc and isinstance(loc[-1], str) else ""
            choices = re.findall(r"'([^']+)'", str((item.get("ctx") or {}).get("expected", "")))
            hint = value_hint(key, wrong, value, choices)
            if wrong == "one_check" and isinstance(value, dict) and len(value) > 1:
                hint = "start each of them with '- '"
            mend = next((choice for choice in choices if choice == str(value).strip().lower()), None)
            found.add(Code.BAD_VALUE, f"{name}{_reason(item)}", document.location(path), hint=hint, mend=mend)
    return None


def _report_key(
    kind: type[BaseModel],
    loc: tuple[str | int, ...],
    path: tuple[str | int, ...],
    value: Json,
    document: Marked,
    found: Diagnostics,
) -> str | None:
    """A key that is not known, with what was meant, which is returned."""
    written, location = str(path[-1]), document.location(path, key=True)
    known = [name.replace("_", " ") for name in _fields_at(kind, loc)]
    around = _at(document.value, path[:-1])
    guess = known_key(written, known, [str(key) for key in around])
    above = _blank_above(written, around)
    message = f"'{written}' is not a known key"
    hint: str = key_hint(written, value, known, guess)
    mend = key_mend(written, known, [str(key) for key in around])
    if odd := ODD.search(written):
        location, mend = (
            replace(location, column=location.column + odd.start(), length=1),
            " " if odd[0].isspace() else "",
        )
        message = f"there is {_kind_of(odd[0])} (U+{ord(odd[0]):04X}) here"
    elif "model" in known and isinstance(value, str) and "/" not in written:
        guess, hint = "model", f"write it as {written}/{value}"
    elif above:
        guess, hint = None, f"if '{written}' is one of the {above}, give its line two spaces more than '{above}:'"
    found.add(Code.UNKNOWN_KEY, message, location, hint=hint, mend=mend)
    return guess


def _kind_of(odd: str) -> str:
    return "a space that is none for YAML" if odd.isspace() else "an invisible character"


def _at(value: Json, path: tuple[str | int, ...]) -> dict[str, Json]:
    for step in path:
        value = value[step]
    return value if isinstance(value, dict) else {}


def _blank_above(written: str, around: dict[str, Json]) -> str | None:
    """The `vars:` or `expect:` right above an unknown key, where nothing is written after it."""
    names = list(around)
    above = names[names.index(written) - 1] if written in names[1:] else None
    return above if above in ("vars", "expect") and around[above] is None else None


def _item_name(loc: tuple[str | int, ...]) -> str:
    """What an entry of a list is called; a case is the only thing that is validated on its own."""
    return (
        {"checks": "a check", "messages": "a message", "models": "a model", "tags": "a tag"}.get(str(loc[0]), "this")
        if loc
        else "a case"
    )


def _instead(loc: tuple[str | int, ...], key: str, wrong: str, value: Json) -> str | None:
    """What to write instead of a value of the wrong kind; without a place it is a case."""
    if not loc:
        return case_hint(value)
    if loc[0] == "messages" and len(loc) == 2:
        return message_hint(value)
    return type_hint(key if isinstance(loc[-1], str) else str(loc[0]), wrong, value)


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


_EMPTY = {
    "cases": "write at least one case below it: '- case: what it is about'",
    "prompt": "write the name of the prompt's file: 'prompt: FILE.prompt'",
    "models": "write the models to ask: 'models: [provider/name]'",
    "suite": "write a name: 'suite: NAME'",
    "case": "say what it is about: 'case: charged twice'",
}
_MISSING = {
    "role": "say who speaks: 'role: user'",
    "content": "write what is said: 'content: …'",
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
