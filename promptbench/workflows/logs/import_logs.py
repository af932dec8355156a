"""Import of production logs: find, detect, read, filter, redact and store. Each call is stored once."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from promptbench.core.call_filter import CallFilter
from promptbench.core.diagnostics import did_you_mean
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.plugins import module_name
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest import detect_format, generic, load_format, plugins
from promptbench.ingest.files.unknown_log import describe_unknown
from promptbench.project import Project
from promptbench.redaction.redactor import Redactor
from promptbench.store.calls import CallStore
from promptbench.workflows.logs.log_files import STDIN, OpenedLog, UnreadableLog, find_logs
from promptbench.workflows.logs.redact import load_redactor

# All bad records are counted; this many are listed.
MAX_BAD_LISTED = 20
_SECONDS_BETWEEN_UPDATES = 0.1


@dataclass(frozen=True, slots=True)
class ImportState:
    """Progress of an import: `done` and `size` in bytes on disk; `size` is None for a pipe."""

    name: str
    done: int
    size: int | None
    calls: int


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Which calls of the logs to import, and how. `columns` is field to column, for tables."""

    filter: CallFilter = field(default_factory=CallFilter)
    format: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    redact: bool = True
    dry_run: bool = False


@dataclass
class ImportedFile:
    """The result for one file. If the format is unknown, `format` is None and `saw` describes the file."""

    name: str
    format: str | None = None
    calls: int = 0
    selected: int = 0
    added: int = 0
    bad: int = 0
    saw: str | None = None


@dataclass
class ImportReport:
    """The result of an import. `redacted` counts replaced values by kind; None if redaction was off."""

    files: list[ImportedFile] = field(default_factory=list)
    bad: list[tuple[str, BadRecord]] = field(default_factory=list)
    tiers: Counter[str] = field(default_factory=Counter)
    redacted: Mapping[str, int] | None = None
    dry_run: bool = False

    def total(self, what: str) -> int:
        """Return the sum of a count over the files."""
        return sum(getattr(item, what) for item in self.files)

    @property
    def unknown(self) -> list[ImportedFile]:
        return [item for item in self.files if item.format is None]

    def as_dict(self) -> dict[str, Json]:
        counts = ("calls", "selected", "added", "bad")
        return {
            "schema_version": 1,
            "dry_run": self.dry_run,
            **{name: self.total(name) for name in counts},
            "already_there": self.total("selected") - self.total("added"),
            "failed": dict(self.tiers),
            "redacted": None if self.redacted is None else dict(self.redacted),
            "files": [
                {"name": item.name, "format": item.format, **{name: getattr(item, name) for name in counts}}
                | ({"saw": item.saw} if item.saw else {})
                for item in self.files
            ],
            "bad_records": [{"file": name, "place": bad.place, "reason": bad.reason} for name, bad in self.bad],
        }


class NothingImported(InputError):
    """A file that the user named is not a log. `done` is the report of the other files."""

    def __init__(self, message: str, done: ImportReport, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.done = done


ProgressListener = Callable[[ImportState], None]


def import_logs(
    project: Project,
    paths: Sequence[str],
    options: ImportOptions,
    stdin: BinaryIO,
    listen: ProgressListener = lambda _: None,
) -> ImportReport:
    """Import the calls of all files that `paths` name. Importing a file again adds nothing.

    A record that cannot be read is counted and listed, and reading continues with the next one. Raise InputError if
    no named file is a log, NothingSelected if no call passes the filters.
    """
    format_ = _parse_format(options.format)
    redactor = load_redactor(project, keep_key=not options.dry_run) if options.redact else None
    found = find_logs(paths, stdin, options.columns)
    with project.recordings() if options.dry_run else project.runs() as runs:
        importer = _Importer(options, format_, redactor, runs.calls() if runs else None, listen)
        for log in found:
            importer.import_file(log)
    report = importer.report
    report.redacted = redactor.counts if redactor else None
    _require_calls(report, found, options)
    return report


class _Importer:
    def __init__(
        self,
        options: ImportOptions,
        format_: str | None,
        redactor: Redactor | None,
        store: CallStore | None,
        listen: ProgressListener,
    ) -> None:
        self.report = ImportReport(dry_run=options.dry_run)
        self._options = options
        self._format = format_
        self._redactor = redactor
        self._store = store
        self._listen = listen
        self._last_update = 0.0

    def import_file(self, log: OpenedLog | UnreadableLog) -> None:
        file = ImportedFile(log.name if isinstance(log, UnreadableLog) else log.file.name)
        self.report.files.append(file)
        if isinstance(log, UnreadableLog):
            file.saw = log.reason
            return
        if not log.file.head.strip():
            file.format, file.saw = "", "it is empty"
            return
        file.format = self._format or detect_format(log.file)
        if file.format is None:
            file.saw = describe_unknown(log.file)
            return
        calls = self._select_calls(log, file)
        if self._options.dry_run:
            file.added = sum(1 for call in calls if self._store is None or not self._store.known([call]))
        else:
            assert self._store is not None
            file.added = self._store.add(calls, self._redactor.redact_text(file.name) if self._redactor else file.name)

    def _select_calls(self, log: OpenedLog, file: ImportedFile) -> Iterator[LoggedCall]:
        """Yield the redacted calls that pass the filter."""
        matches = self._options.filter.matches if self._options.filter else None
        for record in _read_records(log, file):
            if isinstance(record, BadRecord):
                self._report_bad(file, record)
                continue
            file.calls += 1
            self._update_progress(log, file)
            if matches is not None and not matches(record):
                continue
            try:
                call = self._redactor.redact_call(record) if self._redactor else record
            except TimeoutError:
                reason = "a pattern in [tool.promptbench.redact] takes too long"
                self._report_bad(file, BadRecord(f"call {file.calls}", reason))
                continue
            file.selected += 1
            if call.tier is not None:
                self.report.tiers[call.tier.value] += 1
            yield call

    def _report_bad(self, file: ImportedFile, record: BadRecord) -> None:
        file.bad += 1
        if len(self.report.bad) < MAX_BAD_LISTED:
            reason = self._redactor.redact_text(record.reason) if self._redactor else record.reason
            self.report.bad.append((file.name, BadRecord(record.place, reason)))

    def _update_progress(self, log: OpenedLog, file: ImportedFile) -> None:
        if file.calls % 256:
            return
        now = time.monotonic()
        if now - self._last_update >= _SECONDS_BETWEEN_UPDATES:
            self._last_update = now
            self._listen(ImportState(file.name, log.position.bytes, log.position.size, file.calls))


def _read_records(log: OpenedLog, file: ImportedFile) -> Iterator[LoggedCall | BadRecord]:
    name = file.format or ""
    read = load_format(name).read
    try:
        yield from read(log.file)
    except (ValueError, OSError) as error:
        yield BadRecord(f"after {file.calls:,} calls", str(error))
    except Exception as error:  # noqa: BLE001 - the message may quote the log, and a traceback would print it
        kind, trace = type(error).__name__, error.__traceback__
        raise RuntimeError(f"the reader of {name} failed: {kind}").with_traceback(trace) from None


def _parse_format(written: str | None) -> str | None:
    if written is None:
        return None
    name = module_name(written)
    if name in plugins:
        return name
    guess = did_you_mean(name, plugins.names())
    hint = f"did you mean '{guess}'?" if guess else f"known formats: {list_formats()}"
    raise InputError(f"unknown log format '{written}'", hint=hint)


def list_formats() -> str:
    """Return the names of all log formats, for a message."""
    return ", ".join(name.replace("_", " ") for name in plugins.names())


def find_unmapped_tables(paths: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield name, columns and missing fields of each table without a known column for input or answer.

    A pipe is skipped, because it can be read only once.
    """
    for found in find_logs([path for path in paths if path != STDIN], io.BytesIO()):
        if isinstance(found, OpenedLog) and detect_format(found.file) == generic.NAME:
            names = generic.read_columns(found.file)
            if missing := generic.find_missing_fields(found.file, names):
                yield found.file.name, names, missing


def _require_calls(report: ImportReport, found: Sequence[OpenedLog | UnreadableLog], options: ImportOptions) -> None:
    named = {file.name for file, log in zip(report.files, found, strict=True) if log.named}
    wrong = [file for file in report.unknown if file.name in named]
    if wrong or len(report.unknown) == len(report.files):
        first = (wrong or report.unknown)[0]
        known = f"known formats: {list_formats()}; --format NAME reads it as one of them"
        raise NothingImported(f"{first.name} {first.saw}", report, hint=known)
    if report.total("bad") and not report.total("calls"):
        name, bad = report.bad[0]
        raise NothingImported(f"no record could be read; {name}, {bad.place}: {bad.reason}", report)
    if not report.total("selected"):
        hint = "check --failed-only, --since, --model and --where" if options.filter else None
        raise NothingSelected(f"0 of {report.total('calls'):,} calls selected", hint=hint)
