"""Production logs into the record: found, recognised, read, filtered, redacted, kept; each call once."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from promptbench.api.log_files import STDIN, Found, Unreadable, find
from promptbench.api.redacting import redactor
from promptbench.api.workspace import Project
from promptbench.core.call_filter import CallFilter
from promptbench.core.diagnostics import did_you_mean
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.plugins import module_name
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.formats.log_sight import described
from promptbench.ingest import generic, plugins, reader, recognised
from promptbench.ingest._columns import guessed, missing
from promptbench.store.calls import CallStore
from promptbench.text.redaction import Redactor

MOST_BAD = 20
"""Bad records that are listed; all are counted."""
_EVERY = 0.1
_ENDLESS = "a pattern in [tool.promptbench.redact] does not come to an end on it"


@dataclass(frozen=True, slots=True)
class ImportState:
    """How far an import is: `done` and `size` in bytes of the file as it lies on the disk; `size` None for a pipe."""

    name: str
    done: int
    size: int | None
    calls: int


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What of the logs to take, and how. `columns` says for a table which of its columns holds which field."""

    filter: CallFilter = field(default_factory=CallFilter)
    format: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    redact: bool = True
    dry_run: bool = False


@dataclass
class ImportedFile:
    """What became of one file. `format` is None where nothing knows it, and `saw` says what it looks like."""

    name: str
    format: str | None = None
    calls: int = 0
    selected: int = 0
    added: int = 0
    bad: int = 0
    saw: str | None = None


@dataclass
class Imported:
    """What became of all of them. `redacted` counts by kind; None where nothing was to be redacted."""

    files: list[ImportedFile] = field(default_factory=list)
    bad: list[tuple[str, BadRecord]] = field(default_factory=list)
    tiers: Counter[str] = field(default_factory=Counter)
    redacted: Mapping[str, int] | None = None
    dry_run: bool = False

    def total(self, what: str) -> int:
        """The sum of a count over the files."""
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


Listen = Callable[[ImportState], None]


def import_logs(
    project: Project, paths: Sequence[str], wanted: ImportOptions, stdin: BinaryIO, listen: Listen = lambda _: None
) -> Imported:
    """Imports all files that `paths` mean. Importing a file again adds nothing.

    A record that cannot be read is counted and listed, and the next one is read. Raises InputError when nothing that
    was named is a log; NothingSelected when the filters leave no call.
    """
    chosen = _format_named(wanted.format)
    redact = redactor(project, keep_key=not wanted.dry_run) if wanted.redact else None
    done = Imported(dry_run=wanted.dry_run)
    files = find(paths, stdin, wanted.columns)
    if wanted.dry_run:
        with project.recordings() as runs:
            _read_all(files, chosen, wanted, redact, runs.calls() if runs else None, done, listen)
    else:
        with project.runs() as runs:
            _read_all(files, chosen, wanted, redact, runs.calls(), done, listen)
    done.redacted = redact.counts if redact else None
    _refuse_nothing(done, files, wanted)
    return done


def _read_all(
    files: Sequence[Found | Unreadable],
    chosen: str | None,
    wanted: ImportOptions,
    redact: Redactor | None,
    store: CallStore | None,
    done: Imported,
    listen: Listen,
) -> None:
    for found in files:
        file = ImportedFile(found.name if isinstance(found, Unreadable) else found.file.name)
        done.files.append(file)
        if isinstance(found, Unreadable):
            file.saw = found.reason
            continue
        if not found.file.head.strip():
            file.format, file.saw = "", "it is empty"
            continue
        file.format = chosen or recognised(found.file)
        if file.format is None:
            file.saw = described(found.file)
            continue
        calls = _One(found, file, wanted, redact, done, listen).calls()
        if wanted.dry_run:
            file.added = sum(1 for call in calls if store is None or not store.known([call]))
        else:
            assert store is not None
            file.added = store.add(calls, redact.text(file.name) if redact else file.name)


class _One:
    """The way of one file's records."""

    def __init__(
        self,
        found: Found,
        file: ImportedFile,
        wanted: ImportOptions,
        redact: Redactor | None,
        done: Imported,
        listen: Listen,
    ) -> None:
        self._found = found
        self._file = file
        self._wanted = wanted
        self._redact = redact
        self._done = done
        self._listen = listen
        self._told = 0.0

    def calls(self) -> Iterator[LoggedCall]:
        """The calls that are wanted, without what must not be kept."""
        matches = self._wanted.filter.matches if self._wanted.filter else None
        for record in self._records():
            if isinstance(record, BadRecord):
                self._bad(record)
                continue
            self._file.calls += 1
            self._tell()
            if matches is not None and not matches(record):
                continue
            try:
                call = self._redact.call(record) if self._redact else record
            except TimeoutError:
                self._bad(
                    BadRecord(f"call {self._file.calls}", "a pattern in [tool.promptbench.redact] takes too long")
                )
                continue
            self._file.selected += 1
            if call.tier is not None:
                self._done.tiers[call.tier.value] += 1
            yield call

    def _records(self) -> Iterator[LoggedCall | BadRecord]:
        name = self._file.format or ""
        module = reader(name)
        log = self._found.file
        try:
            yield from module.read(log)
        except (ValueError, OSError) as error:
            yield BadRecord(f"after {self._file.calls:,} calls", str(error))
        except Exception as error:  # noqa: BLE001 - what it says may hold what is in the log, and goes into a trace
            kind, trace = type(error).__name__, error.__traceback__
            raise RuntimeError(f"the reader of {name} failed: {kind}").with_traceback(trace) from None

    def _bad(self, record: BadRecord) -> None:
        self._file.bad += 1
        if len(self._done.bad) < MOST_BAD:
            reason = self._redact.text(record.reason) if self._redact else record.reason
            self._done.bad.append((self._file.name, BadRecord(record.place, reason)))

    def _tell(self) -> None:
        if self._file.calls % 256:
            return
        at = time.monotonic()
        if at - self._told >= _EVERY:
            self._told = at
            position = self._found.position
            self._listen(ImportState(self._file.name, position.bytes, position.size, self._file.calls))


def _format_named(written: str | None) -> str | None:
    if written is None:
        return None
    name = module_name(written)
    if name in plugins:
        return name
    known = plugins.names()
    guess = did_you_mean(name, known)
    hint = f"did you mean '{guess}'?" if guess else f"known are {', '.join(known)}"
    raise InputError(f"'{written}' is no log format", hint=hint)


def known_formats() -> str:
    """The formats, as people are told them."""
    return ", ".join(name.replace("_", " ") for name in plugins.names())


def unmapped(paths: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Tables that do not say where input and answer are: name, columns, what is lacking. Pipes are not looked at."""
    for found in find([path for path in paths if path != STDIN], io.BytesIO()):
        if isinstance(found, Found) and recognised(found.file) == generic.NAME:
            names = generic.columns(found.file)
            if lacking := missing(guessed(names)):
                yield found.file.name, names, lacking


def _refuse_nothing(done: Imported, files: Sequence[Found | Unreadable], wanted: ImportOptions) -> None:
    named = {found.name if isinstance(found, Unreadable) else found.file.name for found in files if found.named}
    wrong = [item for item in done.unknown if item.name in named]
    if wrong or len(done.unknown) == len(done.files):
        first = (wrong or done.unknown)[0]
        known = f"known formats: {known_formats()}; --format NAME reads it as one of them"
        raise NothingImported(f"{first.name} {first.saw}", done, hint=known)
    if done.total("bad") and not done.total("calls"):
        file, bad = done.bad[0]
        raise NothingImported(f"no record could be read; {file}, {bad.place}: {bad.reason}", done)
    if not done.total("selected"):
        hint = "look at --failed-only, --since, --model and --where" if wanted.filter else None
        raise NothingSelected(f"none of {done.total('calls'):,} calls is selected", hint=hint)


class NothingImported(InputError):
    """Something that was named is no log. `done` is what became of the others."""

    def __init__(self, message: str, done: Imported, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.done = done
