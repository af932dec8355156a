"""Puts logged failures into a suite file as cases, red first."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptbench.api.workspace import Project, input_error
from promptbench.core.canonical import lf
from promptbench.core.diagnostics import Code, Diagnostics
from promptbench.core.errors import InputError
from promptbench.core.types import Json, Rung
from promptbench.formats.json_text import read as read_json
from promptbench.formats.marked_yaml import parse
from promptbench.formats.source import Source
from promptbench.project.bench import Variant
from promptbench.project.capture import Capture, Captured, CaptureOptions, ExistingCase, RefusedCall, SelectedCall
from promptbench.project.cases import CaseBuilder
from promptbench.project.options import PrepareOptions, Selection
from promptbench.project.prompts import load_prompts
from promptbench.prompts.parser import parse_prompt
from promptbench.prompts.prompt import Prompt
from promptbench.store.prompts import Store
from promptbench.suite.cases import read_checks
from promptbench.suite.editor import Change, edit_cases, write_whole
from promptbench.suite.loader import load as load_suite
from promptbench.suite.models import Suite, Where


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """What became of the calls: new cases, calls that are none, and calls that are cases already.

    `added` is the text of the new cases as a diff of the suite file; `written` tells whether the file has it.
    """

    path: str
    captured: Sequence[Captured]
    refused: Sequence[RefusedCall]
    known: Sequence[ExistingCase]
    added: str
    written: bool

    def as_dict(self) -> dict[str, Json]:
        return {
            "schema_version": 1,
            "path": self.path,
            "written": self.written,
            "captured": [
                {"id": item.id, "case": item.name, "red_by": list(item.red_by), "proposed": item.proposed or None}
                for item in self.captured
            ],
            "refused": [{"id": item.id, "reason": item.reason, "hint": item.hint or None} for item in self.refused],
            "already_there": [{"id": item.id, "case": item.case} for item in self.known],
            "diff": self.added,
        }


def capture(
    project: Project, path: Path, calls: Sequence[SelectedCall], wanted: CaptureOptions, *, dry_run: bool = False
) -> CaptureReport:
    """Adds a case for each call whose answer fails its checks, and writes the file, if there is one.

    Raises InputError when the suite has mistakes, or its file is written in a way that nothing can be added to.
    """
    if len(calls) > 1 and (wanted.expect or wanted.should_be):
        raise InputError("what should have come back is said of one call at a time", hint="name one id")
    file = project.suite_file(path)
    shown = project.shown(file)
    with project.prompts() as store, project.recordings() as runs:
        prepare_options = project.prepare_options(Selection(), store, runs)
        suite, prompts = sound_suite(file, shown, prepare_options)
        templates = [*(item.prompt for item in prompts[::-1]), *_earlier(store, prompts[0].prompt.name)]
        joined = Capture(suite, prompts, templates, prepare_options)
        found = [joined.add(call, wanted) for call in calls]
        captured = [item for item in found if isinstance(item, Captured)]
        after = before = file.read_bytes()
        if captured:
            after = edit_cases(before, shown, {}, [Change(item.data) for item in captured])
        if captured and not dry_run:
            # The whole new file is read as any command will read it: with a mistake in it, the old one stays.
            write_whole(file, after, lambda new: sound_suite(new, shown, prepare_options))
    return CaptureReport(
        path=shown,
        captured=captured,
        refused=[item for item in found if isinstance(item, RefusedCall)],
        known=[item for item in found if isinstance(item, ExistingCase)],
        added=_diff(suite, after, shown),
        written=bool(captured) and not dry_run,
    )


def sound_suite(file: Path, shown: str, prepare_options: PrepareOptions) -> tuple[Suite, Sequence[Variant]]:
    """The suite and its prompts. Raises InputError with every mistake that says what a case means."""
    found = Diagnostics()
    suite = load_suite(file, shown, found)
    prompts = load_prompts(suite, prepare_options, found) if suite else []
    if suite and prompts:
        CaseBuilder(suite, prompts, found, prepare_options).validate()
    # A suite may get its first cases by being captured into.
    errors = Diagnostics()
    errors.extend(item for item in found if item.code is not Code.NO_CASES)
    if errors.errors or suite is None or not prompts:
        raise input_error(errors)
    return suite, prompts


def _earlier(store: Store, name: str) -> Iterator[Prompt]:
    """The versions that the store has of a prompt, the latest first: one of them may have made the log."""
    if name not in store.prompts():
        return
    for version in reversed(store.versions(name)):
        prompt = parse_prompt(Source(f"{name}.prompt", version.source), Diagnostics())
        if prompt is not None:
            yield prompt


def _diff(suite: Suite, after: bytes, shown: str) -> str:
    text = lf(after.decode("utf-16" if after.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"))
    old, new = (text.splitlines(keepends=True) for text in (suite.document.source.text, text))
    return "".join(difflib.unified_diff(old, new, f"a/{shown}", f"b/{shown}"))


def read_wanted(
    *, should_be: str | None, expect: str | None, checks: Sequence[str], tags: Sequence[str]
) -> CaptureOptions:
    """What the command line says of the calls, with the YAML in it read. Raises InputError with every mistake."""
    found = Diagnostics()
    gold = _yaml("--expect", expect, found) if expect is not None else ()
    written: list[Json] = []
    for item in checks:
        document = parse(Source("--check", item), found)
        if document is None or not read_checks(document.value, Where(document), found):
            continue
        value = document.value
        written += value if isinstance(value, list) else [value]
    if found.errors:
        raise input_error(found)
    wish: tuple[Json, ...] = ()
    if should_be is not None:
        reading = read_json(should_be)
        as_data = reading.rung is Rung.RAW and isinstance(reading.value, (dict, list))
        wish = (reading.value if as_data else should_be,)
    return CaptureOptions(gold, wish, tuple(written), tuple(tags))


def _yaml(flag: str, text: str, found: Diagnostics) -> tuple[Json, ...]:
    document = parse(Source(flag, text), found)
    return (document.value,) if document else ()
