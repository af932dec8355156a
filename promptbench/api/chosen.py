"""Which logged calls a command means: imported ones by their ids, or those of a log file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from promptbench.api.failing import failures
from promptbench.api.redacting import redactor
from promptbench.api.workspace import Project
from promptbench.core.call_filter import CallFilter
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.types import BadRecord, FailureTier, LoggedCall
from promptbench.formats.log_file import LogError, LogFile
from promptbench.ingest import reader, recognised
from promptbench.project.capture import SelectedCall
from promptbench.suite.loader import load as load_suite


def chosen_by_id(project: Project, ids: Sequence[str]) -> list[SelectedCall]:
    """The imported calls of these ids. Raises InputError for one that is not there."""
    if not ids:
        return []
    with project.recordings() as runs:
        if runs is None:
            raise InputError("no call is imported yet", hint="`promptbench import FILE` does that")
        kept = [runs.calls().get(name) for name in ids]
    return [SelectedCall(item.call, item.source) for item in kept]


def chosen_of_clusters(project: Project, path: Path, most: int | None) -> list[SelectedCall]:
    """The newest imported call of each cluster of failures, the largest cluster first; at most so many.

    Clusters of calls that got no answer are left out. Raises NothingSelected when there is none.
    """
    file = project.suite_file(path)
    suite = load_suite(file, project.shown(file), Diagnostics())
    by_checks = file if suite and suite.checks else None
    answered = CallFilter(tiers=frozenset((FailureTier.CONTENT, FailureTier.CUT)))
    clusters = failures(project, by_checks, CallFilter() if by_checks else answered)
    found = [item.example for item in clusters if item.example.logged and item.tier is not FailureTier.TRANSPORT]
    if not found:
        raise NothingSelected("no imported call with an answer fails", hint="`promptbench import FILE` reads a log")
    return chosen_by_id(project, [item.id for item in found[:most]])


def chosen_in_log(project: Project, written: str, *, dry_run: bool = False) -> SelectedCall:
    """The call that FILE#ID means, with personal data replaced; a `dry_run` leaves nothing behind.

    Raises InputError when there is none.
    """
    name, hash_sign, wanted = written.rpartition("#")
    if not (name and hash_sign and wanted):
        raise InputError(f"'{written}' is not FILE#ID", hint="for example --log calls.jsonl#INC-2031")
    redact = redactor(project, keep_key=not dry_run)
    for call in calls_of(Path(name)):
        if call.id == wanted:
            return SelectedCall(redact.call(call), redact.text(name))
    raise InputError(f"there is no call '{wanted}' in {name}")


def replayed_calls(project: Project, logs: Sequence[Path], wanted: CallFilter) -> list[LoggedCall]:
    """The calls of log files, or without any the imported ones, that a filter lets through."""
    if logs:
        return [call for path in logs for call in calls_of(path) if wanted.matches(call)]
    with project.recordings() as runs:
        if runs is None:
            raise InputError(
                "no call is imported yet", hint="`promptbench import FILE` does that, or name one by --log"
            )
        return [kept.call for kept in runs.calls().find(wanted)]


def calls_of(path: Path) -> Iterator[LoggedCall]:
    """The calls of a log file, one at a time; records that cannot be read are left out.

    Raises InputError when it is no log.
    """
    try:
        file = LogFile.at(path)
        format_ = recognised(file)
        if format_ is None:
            raise InputError(f"{path} is no log of a known format", hint="`promptbench import --help` names them")
        for record in reader(format_).read(file):
            if not isinstance(record, BadRecord):
                yield record
    except (OSError, LogError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
