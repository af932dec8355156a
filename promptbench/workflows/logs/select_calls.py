"""Selection of logged calls for a command: imported ones by id, or those of a log file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptbench.core.call_filter import CallFilter
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.types import FailureTier, LoggedCall
from promptbench.ingest.files.calls import read_calls
from promptbench.project import Project
from promptbench.suite.loader import load as load_suite
from promptbench.workflows.logs.captured_case import SelectedCall
from promptbench.workflows.logs.failures import find_failures
from promptbench.workflows.logs.redact import load_redactor


def select_by_id(project: Project, ids: Sequence[str]) -> list[SelectedCall]:
    """Return the imported calls with these ids. Raise InputError if one is not found."""
    if not ids:
        return []
    with project.recordings() as runs:
        if runs is None:
            raise InputError("no calls are imported yet", hint="run `promptbench import FILE`")
        kept = [runs.calls().get(name) for name in ids]
    return [SelectedCall(item.call, item.source) for item in kept]


def select_from_clusters(project: Project, path: Path, limit: int | None) -> list[SelectedCall]:
    """Return the newest imported call of each failure cluster, from the largest cluster to the smallest.

    Clusters of calls without an answer are skipped. Raise NothingSelected if no cluster is left.
    """
    file = project.suite_file(path)
    suite = load_suite(file, project.shown(file), Diagnostics())
    suite_with_checks = file if suite and suite.checks else None
    answered = CallFilter(tiers=frozenset((FailureTier.CONTENT, FailureTier.TRUNCATED)))
    clusters = find_failures(project, suite_with_checks, CallFilter() if suite_with_checks else answered)
    found = [item.example for item in clusters if item.example.logged and item.tier is not FailureTier.TRANSPORT]
    if not found:
        raise NothingSelected("no imported call with an answer fails", hint="`promptbench import FILE` reads a log")
    return select_by_id(project, [item.id for item in found[:limit]])


def select_from_log(project: Project, written: str, *, dry_run: bool = False) -> SelectedCall:
    """Return the call that FILE#ID names, redacted. With `dry_run` no redaction key is written.

    Raise InputError if it is not found.
    """
    name, hash_sign, call_id = written.rpartition("#")
    if not (name and hash_sign and call_id):
        raise InputError(f"expected FILE#ID, got '{written}'", hint="for example --log calls.jsonl#INC-2031")
    redactor = load_redactor(project, keep_key=not dry_run)
    for call in read_calls(Path(name)):
        if call.id == call_id:
            return SelectedCall(redactor.redact_call(call), redactor.redact_text(name))
    raise InputError(f"call '{call_id}' not found in {name}")


def select_for_replay(project: Project, logs: Sequence[Path], call_filter: CallFilter) -> list[LoggedCall]:
    """Return the calls of log files, or without any file the imported ones, that pass the filter."""
    if logs:
        return [call for path in logs for call in read_calls(path) if call_filter.matches(call)]
    with project.recordings() as runs:
        if runs is None:
            raise InputError("no calls are imported yet", hint="run `promptbench import FILE`, or name a log by --log")
        return [kept.call for kept in runs.calls().find(call_filter)]
