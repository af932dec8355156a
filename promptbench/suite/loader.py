"""Reads a suite file: text, YAML, shape. Every problem goes to one list, with its place."""

from __future__ import annotations

import copy
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from promptbench.core.diagnostics import Code, Diagnostics, did_you_mean
from promptbench.core.types import Json, Message, ModelRef, Rung
from promptbench.formats.marked_yaml import Document, parse
from promptbench.formats.source import SourceError, read_source
from promptbench.suite.models import (
    Case,
    CaseFile,
    CheckSpec,
    GateFile,
    MessageFile,
    ModelEntry,
    ModelFile,
    Suite,
    SuiteFile,
    field_name,
    path_in_file,
)

_File = TypeVar("_File", bound=BaseModel)
_START = "a suite starts with the lines 'suite: NAME', 'prompt: FILE', 'models: …' and 'cases: …'"


def load(path_of_file: Path, shown: str, found: Diagnostics) -> Suite | None:
    """The suite in `path_of_file`, named `shown` to the user; None when it is no suite at all.

    With an error in `found` the suite is only good for finding more of them.
    """
    try:
        source = read_source(path_of_file, shown)
    except SourceError as error:
        empty = error.diagnostic.code is Code.EMPTY_FILE
        found.extend([replace(error.diagnostic, hint=_START) if empty else error.diagnostic])
        return None
    document = parse(source, found)
    if document is None:
        return None
    if not isinstance(document.value, dict):
        code, message = Code.WRONG_TYPE, "this file is no suite: it has no 'name: value' lines"
        if document.value is None:
            code, message = Code.EMPTY_FILE, "there are only comments in this file"
        found.add(code, message, document.place(), hint=_START)
        return None
    file = _validated(SuiteFile, document.value, (), document, found)
    _keys_once(GateFile, document.value.get("gate"), ("gate",), document, found)
    raw_cases = document.value.get("cases")
    cases = []
    for index, written in enumerate(raw_cases if isinstance(raw_cases, list) else ()):
        path = ("cases", index)
        case = _validated(CaseFile, written, path, document, found)
        if case is not None:
            _no_blanks(written, path, document, found)
            cases.append(_case(case, written, path))
    if file is None:
        file = _what_is_sound(document.value)
    elif not file.cases and not file.log:
        hint = "write at least one case under 'cases:', or name a log under 'log:'"
        found.add(Code.NO_CASES, "this suite has no cases", document.place(("cases",), key=True), hint=hint)
    return _suite(file, tuple(cases), path_of_file, document, found)


def _what_is_sound(value: dict[str, Json]) -> SuiteFile:
    """The suite without the keys that are wrong, each of which has been reported, so that the rest is looked at too."""
    sound: dict[str, Json] = {}
    for key, item in value.items():
        with suppress(ValidationError):
            SuiteFile.model_validate({**_STAND_INS, field_name(key): item})
            sound[field_name(key)] = item
    file = SuiteFile.model_validate({**_STAND_INS, **sound})
    return file.model_copy(update={key: [] for key in ("prompt", "models") if key not in sound})


_STAND_INS = {"suite": "?", "prompt": "?", "models": "?/?"}


def _validated(
    kind: type[_File], value: Json, path: tuple[str | int, ...], document: Document, found: Diagnostics
) -> _File | None:
    """`value` as `kind`. Unknown keys are reported and left out, so that the rest is still looked at."""
    _keys_once(kind, value, path, document, found)
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


def _keys_once(
    kind: type[BaseModel], value: Json, path: tuple[str | int, ...], document: Document, found: Diagnostics
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


def _no_blanks(written: dict[str, Json], path: tuple[str | int, ...], document: Document, found: Diagnostics) -> None:
    for key, value in written.items():
        if value is None and field_name(key) in _BLANK and document.is_blank((*path, key)):
            hint = _BLANK[field_name(key)]
            found.add(Code.MISSING_KEY, f"nothing is written after '{key}:'", document.place((*path, key)), hint=hint)


_BLANK = {
    "expect": "write what should come back, or null if that is what the answer should be",
    "should_be": "write an answer that passes, or delete the line",
    "was": "write the answer that came back, or '' if it was empty",
}


def _without(value: Json, paths: list[tuple[str | int, ...]]) -> Json:
    value = copy.deepcopy(value)
    for path in paths:
        holder = value
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
    return value


def _suite(file: SuiteFile, cases: tuple[Case, ...], path: Path, document: Document, found: Diagnostics) -> Suite:
    _unique_names(cases, document, found)
    return Suite(
        name=file.suite,
        about=file.about,
        path=path,
        document=document,
        prompts=tuple(file.prompt),
        models=_models(file, document, found),
        checks=_checks(file.checks, ("checks",)),
        logs=tuple(file.log),
        accept=Rung(file.accept.replace(" ", "_")),
        cases=cases,
        gate=file.gate,
    )


def _models(file: SuiteFile, document: Document, found: Diagnostics) -> tuple[ModelEntry, ...]:
    entries = []
    for index, item in enumerate(file.models):
        path = ("models", index)
        try:
            entries.append(ModelEntry(ModelRef.parse(item.model), item.uses_prompt, path))
        except ValueError:
            hint = "write it as provider/name, for example openai/gpt-5-mini or gguf/smollm2-135m"
            found.add(Code.UNKNOWN_MODEL, f"'{item.model}' is not a model", document.place(path), hint=hint)
    return tuple(entries)


def _checks(items: list[dict[str, Any]], path: tuple[str | int, ...]) -> tuple[CheckSpec, ...]:
    return tuple(
        CheckSpec(name, argument, (*path, index, name))
        for index, item in enumerate(items)
        for name, argument in item.items()
    )


def _case(item: CaseFile, written: dict[str, Json], path: tuple[str | int, ...]) -> Case:
    keys = {field_name(key) for key in written}
    return Case(
        name=item.case,
        variables=item.vars,
        messages=tuple(Message(message.role, message.content) for message in item.messages),
        has_expect="expect" in keys,
        expect=item.expect,
        was=item.was,
        has_wish="should_be" in keys,
        should_be=item.should_be,
        checks=_checks(item.checks, (*path, "checks")),
        tags=tuple(item.tags),
        path=path,
    )


def _unique_names(cases: tuple[Case, ...], document: Document, found: Diagnostics) -> None:
    first: dict[str, Case] = {}
    for case in cases:
        if case.name in first:
            here = document.place((*case.path, "case"))
            there = document.place((*first[case.name].path, "case"))
            message = f"two cases are named '{case.name}': on lines {there.line} and {here.line}"
            found.add(Code.DUPLICATE_NAME, message, here, hint="give each a name of its own", related=there)
        first.setdefault(case.name, case)


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
    document: Document,
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
    if key in ("format floor", "answer floor") and isinstance(value, (int, float)) and 1 < value <= 100:
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
        case "too_long":
            return "write one check to a '- ' line"
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
    nested: dict[str, type[BaseModel]] = {"gate": GateFile, "models": ModelFile, "messages": MessageFile}
    for step in loc[:-1]:
        kind = nested.get(str(step), kind)
    return list(kind.model_fields)
