"""Validate parts of a suite file with pydantic; report errors in the author's words, with what to write instead."""

import copy
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from promptbench.core.errors import Code, Diagnostics, did_you_mean, suggest
from promptbench.core.types import Json
from promptbench.suite.file import (
    CHECK_OPTIONS,
    READINGS,
    CaseFile,
    GateFile,
    MessageFile,
    QuarantineFile,
    TagFile,
    TurnFile,
    field_name,
    path_in_file,
    written_keys,
)
from promptbench.suite.models import Marked
from promptbench.suite.suite_file import DefaultsFile, ModelFile, StepFile

_File = TypeVar("_File", bound=BaseModel)
_Path = tuple[str | int, ...]
_MOST_KEYS = 100  # Unknown keys of one case, or of a suite without its cases, that are each reported.


def validate(kind: type[_File], value: Json, path: _Path, document: Marked, found: Diagnostics) -> _File | None:
    """Return `value`, which is at `path` of the document, as a `kind`; None if it is invalid.

    Unknown keys are reported and left out, so that the rest is still validated.
    """
    check_keys_once(kind, value, path, document, found)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    reporter = _Reporter(kind, value, path, document, found)
    unknown = [item for item in problems if item["type"] == "extra_forbidden"]
    others = [item for item in problems if item["type"] != "extra_forbidden"]
    meant = {reporter.report_key(item) for item in unknown[:_MOST_KEYS]}
    if rest := unknown[_MOST_KEYS:]:
        first = document.location((*path, *path_in_file(rest[0]["loc"], value)), key=True)
        found.add(Code.UNKNOWN_KEY, f"{len(rest):,} more unknown keys from here on", first, hint="fix the first ones")
    for item in others:
        reporter.report_value(item, meant)
    if others:
        return None
    with suppress(ValidationError):  # Without its unknown keys, a tag of the gate may be empty.
        return kind.model_validate(_without(value, [path_in_file(item["loc"], value) for item in unknown]))
    return None


def check_keys_once(kind: type[BaseModel], value: Json, path: _Path, document: Marked, found: Diagnostics) -> None:
    """Report keys that are there in two spellings, such as `should be` and `should_be`."""
    if not isinstance(value, dict) or len({field_name(key) for key in value}) == len(value):
        return
    first: dict[str, str] = {}
    for key in value:
        name = field_name(key)
        other = first.setdefault(name, key)
        if other != key and name in kind.model_fields:
            found.add(
                Code.DUPLICATE_KEY,
                f"duplicate key: '{key}' is the same as '{other}'",
                document.location((*path, key), key=True),
                hint="keep one of the two",
                related=document.location((*path, other), key=True),
            )


def _without(value: Json, paths: list[_Path]) -> Json:
    value = copy.deepcopy(value)
    for path in paths:
        holder = value
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
    return value


_KEYED = {"max age": "a time such as '7 days' or '12 hours'", "max cost": "an amount of dollars such as $2 or 2.50"}
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number or a percentage such as 95%",
    "bool_type": "true or false",
    "list_type": "a list (lines that start with '- ')",
    "dict_type": "'name: value' lines",
    "model_type": "'name: value' lines",
}


@dataclass(frozen=True, slots=True)
class _Reporter:
    """Turns pydantic's errors about `root`, which is at `prefix` of the document, into diagnostics."""

    kind: type[BaseModel]
    root: Json
    prefix: _Path
    document: Marked
    found: Diagnostics

    def report_value(self, item: Any, meant: Collection[str | None]) -> None:
        """Report an invalid or missing value; not a missing key in `meant`, whose misspelling has been reported."""
        loc, wrong, value = item["loc"], item["type"], item.get("input")
        path = (*self.prefix, *path_in_file(loc, self.root))
        named = bool(loc) and isinstance(loc[-1], str)
        key = str(loc[-1]).replace("_", " ") if loc else ""
        hint: str | None
        if wrong == "missing":
            if key not in meant:
                hint = _MISSING.get(key, f"add a line '{key}: …'")
                self.found.add(Code.MISSING_KEY, f"'{key}:' is missing", self.document.location(path[:-1]), hint=hint)
        elif wrong in _EXPECTED and value is None and named:
            below = wrong in ("list_type", "dict_type", "model_type")
            hint = _EMPTY.get(key, f"write {'the first one below it' if below else 'a value'}, or delete the line")
            self._add(Code.MISSING_KEY, f"nothing is written after '{path[-1]}:'", path, hint)
        elif wrong in _EXPECTED:
            name = f"'{key}'" if named else _item_name(loc)
            self._add(
                Code.WRONG_TYPE,
                f"{name} must be {_KEYED.get(key, _EXPECTED[wrong])}, not {_described(value)}",
                path,
                _instead(loc, key, wrong, value),
            )
        elif wrong in CHECK_OPTIONS:
            written = next(name for name in value if field_name(name) == wrong)
            choices = [choice for choice in READINGS if choice] if wrong == "reading" else []
            hint = value_hint(wrong, wrong, value[written], choices)
            self._add(Code.BAD_VALUE, _reason(item), (*path, written), hint)
        else:
            choices = re.findall(r"'([^']+)'", str((item.get("ctx") or {}).get("expected", "")))
            hint = value_hint(key, wrong, value, choices)
            if wrong == "one_check" and isinstance(value, dict) and len(value) > 1:
                hint = "start each of them with '- '"
            name = f"'{key}': " if named else ""
            self._add(Code.BAD_VALUE, f"{name}{_reason(item)}", path, hint)

    def report_key(self, item: Any) -> str | None:
        """Report an unknown key. Return the key that was probably meant, if any."""
        loc, value = item["loc"], item.get("input")
        path = (*self.prefix, *path_in_file(loc, self.root))
        written, location = str(path[-1]), self.document.location(path, key=True)
        known = [name.replace("_", " ") for name in _fields_at(self.kind, loc)]
        around = self.document.value
        for step in path[:-1]:
            around = around[step]
        guess = known_key(written, known, around)
        names = list(around)
        above = names[names.index(written) - 1] if written in names[1:] else None
        message, hint = f"unknown key '{written}'", key_hint(written, value, known, guess)
        if odd := ODD.search(written):
            location = replace(location, column=location.column + odd.start(), length=1)
            odd_kind = "a space that YAML does not accept" if odd[0].isspace() else "an invisible character"
            message = f"there is {odd_kind} (U+{ord(odd[0]):04X}) here"
        elif "uses prompt" in known and isinstance(value, str) and "/" not in written:
            guess, hint = "model", f"write it as {written}/{value}"
        elif above in ("vars", "expect") and around[above] is None:
            guess = None
            hint = f"if '{written}' is one of the {above}, indent its line by two spaces more than '{above}:'"
        elif self.kind is CaseFile and guess in (None, "messages") and isinstance(value, (str, int, float)):
            guess, hint = (
                None,
                f"write it below 'vars:' if it is a value of the prompt; {key_hint('', None, known, None)}",
            )
        self.found.add(Code.UNKNOWN_KEY, message, location, hint=hint)
        return guess

    def _add(self, code: Code, message: str, path: _Path, hint: str | None) -> None:
        self.found.add(code, message, self.document.location(path), hint=hint)


_ITEM_NAMES = {
    "checks": "a check",
    "messages": "a message",
    "turns": "a turn",
    "models": "a model",
    "tags": "a tag",
    "steps": "a step",
}


def _item_name(loc: _Path) -> str:
    return _ITEM_NAMES.get(str(loc[0]), "this") if loc else "a case"


def _instead(loc: _Path, key: str, wrong: str, value: Json) -> str | None:
    if not loc:
        return case_hint(value)
    if loc[0] == "messages" and len(loc) == 2:
        return f"write it as '- {{role: user, content: {value if isinstance(value, str) else '…'}}}'"
    return type_hint(key if isinstance(loc[-1], str) else str(loc[0]), wrong, value)


def _reason(item: Any) -> str:
    reason = _REASONS.get(item["type"])
    return reason.format(**(item.get("ctx") or {})) if reason else str(item["msg"])


_REASONS = {
    "literal_error": "this must be {expected}",
    "string_pattern_mismatch": "write a short name without '/', such as careful",
    "string_too_short": "this must not be empty",
    "too_short": "this needs at least one entry",
    "greater_than_equal": "this must be at least {ge:g}",
    "greater_than": "this must be more than {gt:g}",
    "less_than_equal": "this must be at most {le:g}",
}
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
    "step": "give the step a name: 'step: candidates'",
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


def _fields_at(kind: type[BaseModel], loc: _Path) -> list[str]:
    nested: dict[str, type[BaseModel]] = {
        "gate": GateFile,
        "tags": TagFile,
        "models": ModelFile,
        "messages": MessageFile,
        "turns": TurnFile,
        "quarantine": QuarantineFile,
        "defaults": DefaultsFile,
        "steps": StepFile,
    }
    for step in loc[:-1]:
        kind = nested.get(str(step), kind)
    return written_keys(kind)


# Invisible characters, and those that look like a space.
ODD = re.compile("[\u00a0\u2007\u202f\u3000\u200b\u200c\u200d\u2060\ufeff]")

# Keys of other tools, each with the keys here that do the same.
_OTHERS: Mapping[str, Sequence[str]] = {
    "description": ("about", "note"),
    "comment": ("note", "about"),
    "name": ("case", "suite"),
    "title": ("case", "suite"),
    "id": ("case",),
    "test": ("case",),
    "prompts": ("prompt",),
    "providers": ("models",),
    "provider": ("models",),
    "targets": ("models",),
    "tests": ("cases",),
    "examples": ("cases",),
    "assert": ("checks",),
    "asserts": ("checks",),
    "assertions": ("checks",),
    "input": ("vars",),
    "inputs": ("vars",),
    "variables": ("vars",),
    "values": ("vars",),
    "expected": ("expect",),
    "expected output": ("expect",),
    "output": ("expect",),
    "answer": ("expect",),
    "labels": ("tags",),
    "conversation": ("messages",),
}
_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def known_key(written: str, known: Collection[str], taken: Collection[str]) -> str | None:
    """Return the known key that was most likely meant, or None. A key of another tool maps to one not in `taken`."""
    plain = ODD.sub("", written).strip().lower().replace("_", " ").replace("-", " ")
    for name in _OTHERS.get(plain, ()):
        if name in known and name not in taken:
            return name
    return did_you_mean(plain, known)


def key_hint(written: str, value: Json, known: Sequence[str], guess: str | None) -> str:
    """Return the hint for an unknown key."""
    if odd := ODD.search(written):
        return "write a plain space in its place" if odd[0].isspace() else "delete it"
    before_colon, colon, _ = written.partition(":")
    if colon and before_colon in known:
        return f"put a space after the colon: '{before_colon}: …'"
    before_bracket = re.split(r" *[{\[]", written)[0]
    if before_bracket != written and before_bracket in known:
        return f"put a colon and a space after the name: '{before_bracket}: {written[len(before_bracket) :].strip()}…'"
    if written.isdigit():
        return f"a comma starts a new entry here: write decimals with a point, such as 1.{written}"
    return f"did you mean '{guess}'?" if guess else f"known here: {', '.join(known)}"


def type_hint(key: str, wrong: str, value: Json) -> str | None:
    """Return the hint for a value of the wrong type, or None."""
    if wrong == "bool_type" and str(value).lower() in _BOOLEANS:
        return f"'{value}' is text in this file: write {_BOOLEANS[str(value).lower()]}"
    if wrong == "int_type" and isinstance(value, str) and value.strip().isdigit():
        return f"write {int(value)}" if value.startswith("0") else f"write {value.strip()}, without quotation marks"
    if wrong == "int_type":
        return "write it in digits, such as 3"
    if wrong == "string_type" and key == "was":
        return "the logged answer is kept as text: put it in single quotes, '…'"
    if wrong == "string_type" and isinstance(value, (dict, list)):
        return "a text that starts with { or [ needs quotes" if key != "tags" else "write only words: 'tags: [late]'"
    return (
        _structure_hint(key, value) if wrong in ("list_type", "dict_type", "model_type") else _amount_hint(key, value)
    )


def _structure_hint(key: str, value: Json) -> str | None:
    if key == "vars" and isinstance(value, list):
        return "leave out the '- ' before the names"
    if key == "cases":
        return "start each case with '- case: NAME'" if isinstance(value, dict) else case_hint(value)
    text = str(value) if isinstance(value, (str, int, float)) else ""
    return {
        "vars": "write the names that the prompt has between braces, each with its value: 'vars: {message: …}'",
        "messages": f"write '- {{role: user, content: {text or '…'}}}' below it",
        "turns": f"write '- {{user: {text or '…'}}}' below it, with 'expect' or 'checks' for the answer",
        "gate": "write the gate's settings, such as 'gate: {repeats: 3}'; most suites need none",
        "checks": "start each check with '- ', such as '- contains: refund'",
        "quarantine": "write 'quarantine: {owner: …, reason: …, review by: 2026-12-31}'",
    }.get(key)


def case_hint(value: Json) -> str:
    """Return the hint for something that is not a case."""
    if isinstance(value, str) and re.search(r"\.\w{2,5}\Z", value):
        return "a file with cases ends with .csv, .xlsx, .jsonl or .yaml"
    if isinstance(value, list):
        return "write one '- ' before 'case:', and none before what is below it"
    return f"write it as '- case: {value}'" if isinstance(value, str) else "write it as '- case: what it is about'"


def _amount_hint(key: str, value: Json) -> str | None:
    if key == "max age":
        return "write '7 days' or '12 hours'"
    number = re.search(r"\d+(?:[.,]\d+)?", value) if isinstance(value, str) else None
    if number is None:
        return None
    written = number[0].replace(",", ".")
    return f"write ${written}" if key == "max cost" else f"write {written}%"


def value_hint(key: str, kind: str, value: Json, choices: Sequence[str]) -> str | None:
    """Return the hint for a value of the right type that is invalid, or None."""
    if kind == "day" and isinstance(value, str):
        day = re.fullmatch(r"(\d\d?)\.(\d\d?)\.(\d{4})", value.strip())
        return f"write {day[3]}-{int(day[2]):02}-{int(day[1]):02}" if day else None
    if choices and isinstance(value, str):
        return suggest(value, choices, "") or None
    if key in _SHARES and isinstance(value, (int, float)) and 1 < value <= 100:
        return f"if you mean percent, write {value}%"
    return None


_SHARES = ("format floor", "answer floor", "floor", "margin", "threshold")
