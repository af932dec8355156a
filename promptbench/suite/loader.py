"""Reads a suite file: text, YAML, shape. Every problem goes to one list, with its place."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from promptbench.core.diagnostics import Code, Diagnostics, Location
from promptbench.core.types import Json, ModelRef, Rung
from promptbench.formats.marked_yaml import Document, parse
from promptbench.formats.source import Source, SourceError, read_source
from promptbench.suite.cases import SuiteCases, checks_as_written, read_case
from promptbench.suite.models import (
    Case,
    GateFile,
    ModelEntry,
    Suite,
    SuiteFile,
    Where,
    field_name,
    is_case_file,
)
from promptbench.suite.validation import keys_once, validated

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
    return read(source, path_of_file, found)


def read(source: Source, path_of_file: Path, found: Diagnostics) -> Suite | None:
    """The suite in a text, as if it stood in `path_of_file`; else as `load`."""
    document = parse(source, found)
    if document is None:
        return None
    if not isinstance(document.value, dict):
        code, message = Code.WRONG_TYPE, "this file is no suite: it has no 'name: value' lines"
        if document.value is None:
            code, message = Code.EMPTY_FILE, "there are only comments in this file"
        found.add(code, message, document.location(), hint=_START)
        return None
    file = validated(SuiteFile, document.value, (), document, found)
    keys_once(GateFile, document.value.get("gate"), ("gate",), document, found)
    cases = _cases(document, path_of_file, source.path, found)
    if file is None:
        file = _what_is_sound(document.value)
    elif not file.cases and not file.log:
        hint = "write at least one case under 'cases:', or name a log under 'log:'"
        found.add(Code.NO_CASES, "this suite has no cases", document.location(("cases",), key=True), hint=hint)
    return _suite(file, cases, path_of_file, document, found)


def _cases(document: Document, path: Path, shown: str, found: Diagnostics) -> SuiteCases:
    """The cases that are written in the suite, and the files with more of them."""
    written: list[Case] = []
    files: list[tuple[str, Where]] = []
    listed = document.value.get("cases")
    for index, item in enumerate([listed] if is_case_file(listed) else listed if isinstance(listed, list) else ()):
        where = Where(document, ("cases", index))
        if is_case_file(item):
            files.append((item, where))
            continue
        case = read_case(item, where, found)
        if case is not None:
            written.append(case)
    return SuiteCases(path, shown, written, files)


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


def _suite(file: SuiteFile, cases: SuiteCases, path: Path, document: Document, found: Diagnostics) -> Suite:
    return Suite(
        name=file.suite,
        about=file.about,
        path=path,
        document=document,
        prompts=tuple(file.prompt),
        models=_models(file, document, found),
        checks=checks_as_written(file.checks, Where(document, ("checks",))),
        threshold=file.threshold,
        logs=tuple(file.log),
        accept=Rung(file.accept.replace(" ", "_")),
        cases=cases,
        gate=file.gate,
    )


def _models(file: SuiteFile, document: Document, found: Diagnostics) -> tuple[ModelEntry, ...]:
    entries = []
    for index, item in enumerate(file.models):
        where = Where(document, ("models", index))
        ref = _model_ref(item.model, where.location(), found)
        fallback = _model_ref(item.fallback, where.location("fallback"), found) if item.fallback else None
        if ref is not None:
            entries.append(ModelEntry(ref, item.uses_prompt, where.path, fallback))
    return tuple(entries)


def _model_ref(written: str, location: Location, found: Diagnostics) -> ModelRef | None:
    try:
        return ModelRef.parse(written)
    except ValueError:
        provider, colon, name = (part.strip() for part in written.partition(":"))
        mend = f"{provider}/{name}" if colon and provider and name else None
        hint = "write it as provider/name, for example openai/gpt-5-mini or gguf/smollm2-135m"
        hint = f"write it with a slash: {mend}" if mend else hint
        found.add(Code.UNKNOWN_MODEL, f"'{written}' is not a model", location, hint=hint, mend=mend)
        return None
