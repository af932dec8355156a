"""Select logged calls for a command: imported ones by id, or those of a log file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from promptbench.core.call_filter import CallFilter
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.subset import EVERYTHING, Subset
from promptbench.core.types import FailureTier, LoggedCall, StoredCall
from promptbench.ingest.files.log_paths import LogFiles
from promptbench.ingest.promptbench_log import build_call
from promptbench.project import Project
from promptbench.suite.loader import load as load_suite
from promptbench.workflows.judge.recorded_results import failing_calls
from promptbench.workflows.judge.rejudge import prepare_again
from promptbench.workflows.logs.failures import find_failures


def log_files(paths: Sequence[str] | None, columns: Mapping[str, str], model: str) -> LogFiles:
    """Return the log files of a command, with field to column, and the model of calls that name none."""
    return LogFiles(paths or (), columns, model)


def select_by_id(project: Project, ids: Sequence[str]) -> list[StoredCall]:
    """Return the imported calls with these ids. Raise InputError if one is not found."""
    if not ids:
        return []
    with project.recordings() as runs:
        if runs is None:
            raise InputError("no calls are imported yet", hint="run `promptbench import FILE`")
        return [runs.calls().get(name) for name in ids]


def select_from_run(project: Project, run: str, cases: Sequence[str]) -> list[StoredCall]:
    """Return the first failing answer of the candidate to each case of a run, or to the named cases.

    Raise InputError if the run or a case is unknown, NothingSelected if nothing failed.
    """
    with project.prompts() as store, project.runs() as runs:
        info = runs.run(run)
        prepared = prepare_again(project, store, runs, info)
        if unknown := next((name for name in cases if name not in prepared.cases), None):
            raise InputError(f"case '{unknown}' not found in run {info.id}")
        found: dict[str, StoredCall] = {}
        for line in failing_calls(prepared, info.id, runs):
            name = line["case"]
            if name not in found and (not cases or name in cases):
                found[name] = StoredCall(line["id"], f"run {info.id}", "", build_call(line, name))
    if not found:
        raise NothingSelected(f"no case of run {info.id} fails")
    return list(found.values())


def select_from_clusters(project: Project, path: Path, limit: int | None) -> list[StoredCall]:
    """Return the newest imported call of each failure cluster, from the largest cluster to the smallest.

    Clusters of calls without an answer are skipped. Raise NothingSelected if no cluster is left.
    """
    file = project.suite_file(path)
    suite = load_suite(file, project.shown(file), Diagnostics())
    suite_with_checks = file if suite and suite.checks else None
    answered = CallFilter(tiers=frozenset((FailureTier.CONTENT, FailureTier.TRUNCATED)))
    clusters = find_failures(project, suite_with_checks, CallFilter() if suite_with_checks else answered)
    found = [
        item.example for item in clusters if item.example.logged and item.example.tier is not FailureTier.TRANSPORT
    ]
    if not found:
        raise NothingSelected("no imported call with an answer fails", hint="`promptbench import FILE` reads a log")
    return select_by_id(project, [item.id for item in found[:limit]])


def select_from_logs(project: Project, logs: LogFiles, *, dry_run: bool = False) -> list[StoredCall]:
    """Return the calls that FILE#ID names, redacted. With `dry_run` no redaction key is written.

    The files are read together, as an import reads them. Raise InputError if a call is not found.
    """
    wanted: dict[tuple[str, str], StoredCall | None] = {}
    for written in logs.paths:
        name, hash_sign, call_id = written.rpartition("#")
        if not (name and hash_sign and call_id):
            raise InputError(f"expected FILE#ID, got '{written}'", hint="for example --log calls.jsonl#INC-2031")
        wanted[str(Path(name)), call_id] = None
    redactor = project.redactor(keep_key=not dry_run)
    for file, call in replace(logs, paths=list(dict.fromkeys(name for name, _ in wanted))).read():
        if (file, call.id) in wanted and wanted[file, call.id] is None:
            kept = StoredCall(call.id, redactor.redact_text(file), "", redactor.redact_call(call))
            wanted[file, call.id] = kept
            if None not in wanted.values():
                break
    for (name, call_id), found in wanted.items():
        if found is None:
            raise InputError(f"call '{call_id}' not found in {name}")
    return [found for found in wanted.values() if found]


def select_for_replay(
    project: Project, logs: LogFiles, call_filter: CallFilter, part: Subset = EVERYTHING
) -> Iterator[LoggedCall]:
    """Yield the calls of log files, or without any file the imported ones, that pass the filter, or a part of them."""
    return part.of(_select_for_replay(project, logs, call_filter), lambda call: call.id)


def _select_for_replay(project: Project, logs: LogFiles, call_filter: CallFilter) -> Iterator[LoggedCall]:
    if logs.paths:
        yield from (call for _, call in logs.read() if call_filter.matches(call))
        return
    with project.recordings() as runs:
        if runs is None:
            raise InputError("no calls are imported yet", hint="run `promptbench import FILE`, or name a log by --log")
        yield from (kept.call for kept in runs.calls().find(call_filter))
