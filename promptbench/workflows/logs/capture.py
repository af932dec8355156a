"""Capture of logged failures as cases of a suite, red first."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptbench.core.canonical import lf
from promptbench.core.diagnostics import Code, Diagnostics
from promptbench.core.errors import InputError
from promptbench.core.types import Json, Rung
from promptbench.engine.prepare.cases import CaseBuilder
from promptbench.engine.prepare.options import PrepareOptions, Selection
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.engine.prepare.prompts import load_prompts
from promptbench.parsing.json_text import read as read_json
from promptbench.project import Project, input_error
from promptbench.prompts.parser import parse_prompt
from promptbench.prompts.prompt import Prompt
from promptbench.store.prompts import Store
from promptbench.suite.cases import read_checks
from promptbench.suite.editor import Change, edit_cases, write_whole
from promptbench.suite.loader import load as load_suite
from promptbench.suite.models import Suite, Where
from promptbench.workflows.logs.captured_case import (
    Capture,
    Captured,
    CaptureOptions,
    ExistingCase,
    RefusedCall,
    SelectedCall,
)
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """The result of a capture: new cases, refused calls, and calls that are already cases.

    `added` is the diff of the suite file; `written` is True if the file was changed.
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
    project: Project, path: Path, calls: Sequence[SelectedCall], options: CaptureOptions, *, dry_run: bool = False
) -> CaptureReport:
    """Add a case for each call whose answer fails its checks, and write the suite file.

    Raise InputError if the suite has errors, or if its layout does not allow adding a case.
    """
    if len(calls) > 1 and (options.expect or options.should_be):
        raise InputError("--expect and --should-be need exactly one call", hint="name one id")
    file = project.suite_file(path)
    shown = project.shown(file)
    with project.prompts() as store, project.recordings() as runs:
        around = project.prepare_options(Selection(), store, runs)
        suite, prompts = load_valid_suite(file, shown, around)
        templates = [*(item.prompt for item in prompts[::-1]), *_load_versions(store, prompts[0].prompt.name)]
        target = Capture(suite, prompts, templates, around)
        found = [target.add(call, options) for call in calls]
        captured = [item for item in found if isinstance(item, Captured)]
        after = before = file.read_bytes()
        if captured:
            after = edit_cases(before, shown, {}, [Change(item.data) for item in captured])
        if captured and not dry_run:
            # The new file is loaded as any command loads it. If it has an error, the old file stays.
            write_whole(file, after, lambda new: load_valid_suite(new, shown, around))
    return CaptureReport(
        path=shown,
        captured=captured,
        refused=[item for item in found if isinstance(item, RefusedCall)],
        known=[item for item in found if isinstance(item, ExistingCase)],
        added=_diff(suite, after, shown),
        written=bool(captured) and not dry_run,
    )


def load_valid_suite(file: Path, shown: str, around: PrepareOptions) -> tuple[Suite, Sequence[Variant]]:
    """Return the suite and its prompts. Raise InputError with every error in the meaning of a case."""
    found = Diagnostics()
    suite = load_suite(file, shown, found)
    prompts = load_prompts(suite, around, found) if suite else []
    if suite and prompts:
        CaseBuilder(suite, prompts, found, around).validate()
    # The first cases of a suite may be captured ones.
    errors = Diagnostics()
    errors.extend(item for item in found if item.code is not Code.NO_CASES)
    if errors.errors or suite is None or not prompts:
        raise input_error(errors)
    return suite, prompts


def _load_versions(store: Store, name: str) -> Iterator[Prompt]:
    """Yield the stored versions of a prompt, the latest first: the logged calls may have used one of them."""
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


def read_capture_options(
    *, should_be: str | None, expect: str | None, checks: Sequence[str], tags: Sequence[str]
) -> CaptureOptions:
    """Return the options of the command line, with their YAML parsed. Raise InputError with every error."""
    found = Diagnostics()
    expected = _parse_yaml("--expect", expect, found) if expect is not None else ()
    written: list[Json] = []
    for item in checks:
        document = parse(Source("--check", item), found)
        if document is None or not read_checks(document.value, Where(document), found):
            continue
        value = document.value
        written += value if isinstance(value, list) else [value]
    if found.errors:
        raise input_error(found)
    ideal: tuple[Json, ...] = ()
    if should_be is not None:
        reading = read_json(should_be)
        is_data = reading.rung is Rung.RAW and isinstance(reading.value, (dict, list))
        ideal = (reading.value if is_data else should_be,)
    return CaptureOptions(expected, ideal, tuple(written), tuple(tags))


def _parse_yaml(flag: str, text: str, found: Diagnostics) -> tuple[Json, ...]:
    document = parse(Source(flag, text), found)
    return (document.value,) if document else ()
