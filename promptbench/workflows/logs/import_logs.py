"""Import of production logs: find, detect, read, filter, redact and store. Each call is stored once."""

import hashlib
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import BinaryIO, NamedTuple

from promptbench import __version__
from promptbench.core.call_filter import CallFilter
from promptbench.core.errors import InputError, NothingSelected, suggest
from promptbench.core.plugins import module_name
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.engine.failure_signature import strip_details
from promptbench.ingest import detect_format, generic, load_format, plugins
from promptbench.ingest.files.log_file import LogFile
from promptbench.ingest.files.log_paths import STDIN, OpenedLog, ReadPosition, UnreadableLog, find_logs, read_records
from promptbench.ingest.files.unknown_log import describe_unknown
from promptbench.project import Project
from promptbench.redaction.redactor import Redactor
from promptbench.store.calls import CallRow, CallStore, batch_rows
from promptbench.workflows.judge.workers import Workers, local_workers

# All bad records are counted; this many are listed.
MAX_BAD_LISTED = 20
_SECONDS_BETWEEN_UPDATES = 0.1
# Other processes read a part of a file of this size; they take half a second to start.
_SHARED_BYTES = 8 * 1024 * 1024


# Gets a file's name, the bytes that are read, its size in bytes (None for a pipe), and the calls so far.
ProgressListener = Callable[[str, int, int | None, int], None]


@dataclass
class ImportedFile:
    """The result for one file. If the format is unknown, `format` is None and `saw` describes the file."""

    name: str
    format: str | None = None
    calls: int = 0
    selected: int = 0
    added: int = 0
    bad: int = 0
    without_model: int = 0
    saw: str | None = None


@dataclass
class ImportReport:
    """The result of an import.

    `causes` counts the bad records by cause, `redacted` the replaced values by kind; it is None if redaction was off.
    `error` is set if a file that the user
    named is not a log, or if no record can be read.
    """

    files: list[ImportedFile] = field(default_factory=list)
    bad: list[tuple[str, BadRecord]] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    tiers: Counter[str] = field(default_factory=Counter)
    redacted: Mapping[str, int] | None = None
    dry_run: bool = False
    error: InputError | None = None

    def total(self, what: str) -> int:
        """Return the sum of a count over the files."""
        return sum(getattr(item, what) for item in self.files)

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
            "bad_by_cause": dict(self.causes.most_common()),
            "bad_records": [{"file": name, "place": bad.place, "reason": bad.reason} for name, bad in self.bad],
        }


def import_logs(
    project: Project,
    paths: Sequence[str],
    stdin: BinaryIO,
    *,
    call_filter: CallFilter,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    model: str = "",
    redact: bool = True,
    dry_run: bool = False,
    listen: ProgressListener = lambda *_: None,
) -> ImportReport:
    """Import the calls of log files into the run record. Importing a file again adds nothing.

    A record that cannot be read is counted and listed, and reading continues with the next one.

    Args:
        project: the project with the record.
        paths: files, folders, patterns, or `-` for `stdin`.
        stdin: the standard input.
        call_filter: the calls to import.
        format: the log format; by default it is detected for each file.
        columns: for tables, field to column.
        model: the model of calls that name none.
        redact: True to replace personal data and secrets.
        dry_run: True to report only, and to write nothing.
        listen: called now and then with the progress.

    Raises:
        InputError: if a path is not found, or the format is unknown.
        NothingSelected: if no call passes the filter.
    """
    format_ = _parse_format(format)
    redactor = project.redactor(keep_key=not dry_run) if redact else None
    found = find_logs(paths, stdin, columns, model)
    report = ImportReport(dry_run=dry_run)
    with project.recordings() if dry_run else project.runs() as runs, ExitStack() as scope:
        selection = _Selection(report, call_filter, redactor, listen)
        importer = _Importer(selection, runs.calls() if runs else None, project.settings.values.redact, scope)
        for log in found:
            importer.import_file(log, format_)
    report.redacted = redactor.counts if redactor else None
    report.error = _find_error(report, found)
    if not report.error and not report.total("selected"):
        hint = "check --failed-only, --since, --model and --where" if call_filter else None
        raise NothingSelected(
            f"0 of {report.total('calls'):,} calls selected" if report.total("calls") else "the log is empty", hint=hint
        )
    return report


class _KnownLines:
    """The lines that an earlier import read in the same way. The digests are keyed, so that nobody can guess a line."""

    def __init__(self, store: CallStore, key: bytes) -> None:
        self._store = store
        self.key = key
        # The digest of the last line.
        self.line: bytes | None = None
        self._has_lines = store.has_lines()  # A first import need not look for each line.
        self.count = 0
        self.tiers: Counter[str] = Counter()

    def is_known(self, line: str) -> bool:
        """Return True for a line whose call is in the record."""
        self.line = _digest_line(line, self.key)
        tier = self._store.find_line(self.line) if self._has_lines else None
        self.count += tier is not None
        if tier:
            self.tiers[tier] += 1
        return tier is not None

    def find_in(self, part: LogFile) -> list[bool]:
        """Return for each line of a part if it is known; an empty list if none can be."""
        lines = (line for _, line in part.lines() if line is not None and not line.isspace())
        return [self.is_known(line) for line in lines] if self._has_lines else []


def _digest_line(line: str, key: bytes) -> bytes:
    return hashlib.blake2b(line.encode("utf-8", "surrogatepass"), key=key, digest_size=12).digest()


class _Selection:
    """What is read of files, selected and redacted; counted in `report`."""

    def __init__(
        self,
        report: ImportReport,
        call_filter: CallFilter,
        redactor: Redactor | None,
        listen: ProgressListener = lambda *_: None,
    ) -> None:
        self.report = report
        self.filter = call_filter
        self.redactor = redactor
        self.listen = listen
        self._last_update = 0.0

    def calls(self, log: LogFile, file: ImportedFile, position: ReadPosition | None = None) -> Iterator[LoggedCall]:
        """Yield the redacted calls that pass the filter."""
        # An empty filter is skipped, because this loop runs for each record of a log.
        matches = self.filter.matches if self.filter else None
        for record in _read_records(log, file):
            if isinstance(record, BadRecord):
                self._count_bad(file, record)
                continue
            file.calls += 1
            if file.calls % 256 == 0 and time.monotonic() - self._last_update >= _SECONDS_BETWEEN_UPDATES:
                self._last_update = time.monotonic()
                if position:
                    self.listen(file.name, position.bytes, position.size, file.calls)
            if matches is not None and not matches(record):
                continue
            try:
                call = self.redactor.redact_call(record) if self.redactor else record
            except TimeoutError:
                place = f"call {file.calls}" + (f" from line {log.first_line} on" if log.first_line else "")
                self._count_bad(file, BadRecord(place, "a pattern of the setting 'redact' takes too long"))
                continue
            file.selected += 1
            file.without_model += not call.model
            if call.tier is not None:
                self.report.tiers[call.tier.value] += 1
            yield call

    def _count_bad(self, file: ImportedFile, record: BadRecord) -> None:
        file.bad += 1
        cause = strip_details(record.reason)
        self.report.causes[self.redactor.redact_text(cause) if self.redactor else cause] += 1
        if len(self.report.bad) < MAX_BAD_LISTED:
            reason = self.redactor.redact_text(record.reason) if self.redactor else record.reason
            self.report.bad.append((file.name, BadRecord(record.place, reason)))


class _Importer:
    def __init__(
        self, selection: _Selection, store: CallStore | None, patterns: Mapping[str, str], scope: ExitStack
    ) -> None:
        self._selection = selection
        self._store = store
        self._patterns = tuple(patterns.items())
        self._scope = scope

    def import_file(self, log: OpenedLog | UnreadableLog, format_: str | None) -> None:
        file = ImportedFile(log.name if isinstance(log, UnreadableLog) else log.file.name)
        self._selection.report.files.append(file)
        if isinstance(log, UnreadableLog):
            file.saw = log.reason
            return
        if not log.file.head.strip():
            file.format, file.saw = "", "it is empty"
            return
        file.format = format_ or detect_format(log.file)
        if file.format is None:
            file.saw = describe_unknown(log.file)
            return
        lines = self._known_lines(log.file, file.format)
        if lines:
            log = OpenedLog(replace(log.file, is_known=lines.is_known), log.position, log.named)
        calls, redactor = self._selection.calls(log.file, file, log.position), self._selection.redactor
        if self._store is None or self._selection.report.dry_run:
            file.added = sum(1 for call in calls if self._store is None or not self._store.known([call]))
        else:
            source = redactor.redact_text(file.name) if redactor else file.name
            is_large = (log.position.size or 0) >= _SHARED_BYTES and load_format(file.format).by_line
            if is_large and log.file.is_json_lines:
                file.added = self._store.add_rows(self._share_lines(log, file, source, lines))
            else:
                file.added = self._store.add(calls, source, lambda: lines.line if lines else None)
        if lines:
            file.calls += lines.count
            file.selected += lines.count
            self._selection.report.tiers += lines.tiers

    def _known_lines(self, log: LogFile, format_: str) -> _KnownLines | None:
        """Return the lines of the format that are in the record; None if each line must be read."""
        if self._store is None or self._selection.filter or not load_format(format_).by_line:
            return None
        shaped_by = json.dumps([__version__, format_, log.model, sorted(log.mapping.items()), sorted(self._patterns)])
        redactor = self._selection.redactor
        secret = redactor.digests.letters("line", shaped_by, 32) if redactor else ""
        return _KnownLines(self._store, hashlib.sha256(f"{secret} {shaped_by}".encode()).digest())

    @cached_property
    def _workers(self) -> Workers:
        return local_workers(self._scope, alone=False)

    def _share_lines(
        self, log: OpenedLog, file: ImportedFile, source: str, lines: _KnownLines | None
    ) -> Iterator[Sequence[CallRow]]:
        """Yield the rows of the calls in a JSON Lines file, which are read and redacted on all cores."""
        report, redactor = self._selection.report, self._selection.redactor
        key, line_key = redactor.digests.key if redactor else None, lines.key if lines else None
        reading = _Reading(key, self._patterns, self._selection.filter, file.format or "", source, line_key)
        read = partial(_read_part, reading)
        parts = ((part, lines.find_in(part) if lines else []) for part in log.file.split_lines())
        unread = ((part, known) for part, known in parts if not known or not all(known))
        for _, part in self._workers.share(read, read, unread):
            for name in ("calls", "selected", "bad", "without_model"):
                setattr(file, name, getattr(file, name) + getattr(part.file, name))
            report.tiers += part.report.tiers
            report.causes += part.report.causes
            report.bad += part.report.bad[: MAX_BAD_LISTED - len(report.bad)]
            if redactor and part.report.redacted:
                redactor.counts.update(part.report.redacted)
            self._selection.listen(file.name, log.position.bytes, log.position.size, file.calls)
            yield part.rows


class _Reading(NamedTuple):
    """What any process needs to read, select and redact calls. `key` is the redactor's, `line_key` that of lines."""

    key: bytes | None
    patterns: tuple[tuple[str, str], ...]
    call_filter: CallFilter
    format: str
    source: str
    line_key: bytes | None


class _ReadPart(NamedTuple):
    """The rows of some lines of a file, with their counts."""

    rows: list[CallRow]
    file: ImportedFile
    report: ImportReport


@lru_cache(maxsize=1)
def _redactor(key: bytes, patterns: tuple[tuple[str, str], ...]) -> Redactor:
    return Redactor(key, dict(patterns))


def _read_part(reading: _Reading, given: tuple[LogFile, Sequence[bool]]) -> _ReadPart:
    log, known = given[0], iter(given[1])
    line: bytes | None = None

    def is_known(text: str) -> bool:
        nonlocal line
        line = _digest_line(text, reading.line_key) if reading.line_key else None
        return next(known, False)

    redactor = _redactor(reading.key, reading.patterns) if reading.key else None
    file, report = ImportedFile(log.name, reading.format), ImportReport()
    calls = _Selection(report, reading.call_filter, redactor).calls(replace(log, is_known=is_known), file)
    rows = [row for batch in batch_rows(calls, reading.source, lambda: line) for row in batch]
    if redactor:
        report.redacted = Counter(redactor.counts)
        redactor.counts.clear()
    return _ReadPart(rows, file, report)


def _read_records(log: LogFile, file: ImportedFile) -> Iterator[LoggedCall | BadRecord]:
    name = file.format or ""
    try:
        yield from read_records(log, name)
    except (ValueError, OSError) as error:
        yield BadRecord(f"after {file.calls:,} calls", str(error))
    except Exception as error:  # noqa: BLE001 - the message may quote the log, and a traceback would print it
        failure = RuntimeError(f"the reader of {name} failed: {type(error).__name__}")
        raise failure.with_traceback(error.__traceback__) from None


def _parse_format(written: str | None) -> str | None:
    name = module_name(written) if written is not None else None
    if name is not None and name not in plugins:
        hint = suggest(name, plugins.names(), f"known formats: {_known_formats()}")
        raise InputError(f"unknown log format '{written}'", hint=hint)
    return name


def _known_formats() -> str:
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


def _find_error(report: ImportReport, found: Sequence[OpenedLog | UnreadableLog]) -> InputError | None:
    unknown = [(file, log.named) for file, log in zip(report.files, found, strict=True) if file.format is None]
    wrong = next((file for file, named in unknown if named), unknown[0][0] if len(unknown) == len(found) else None)
    if wrong:
        hint = f"known formats: {_known_formats()}; --format NAME reads it as one of them"
        return InputError(f"{wrong.name} {wrong.saw}", hint=hint)
    if report.total("bad") and not report.total("calls"):
        name, bad = report.bad[0]
        return InputError(f"no record could be read; {name}, {bad.place}: {bad.reason}")
    return None
