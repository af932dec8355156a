"""Find, open and read the log files that a user names."""

import glob
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from promptbench.core.errors import InputError
from promptbench.core.types import BadRecord, FailureTier, LoggedCall
from promptbench.ingest import detect_format, load_format
from promptbench.ingest.files.log_file import LogFile
from promptbench.ingest.files.streams import LogError, PipeBuffer
from promptbench.ingest.files.unknown_log import describe_unknown

STDIN = "-"


class ReadPosition:
    """How far a file is read, in bytes on disk. `size` is None for a pipe."""

    def __init__(self, path: Path | None, pipe: PipeBuffer | None = None) -> None:
        self._path = path
        self._pipe = pipe
        self._handle: BinaryIO | None = None
        self.size = path.stat().st_size if path else None

    def open(self, mode: str = "rb") -> BinaryIO:
        """Return the file from its start. Its position is the one that counts from now on."""
        if self._path is None:
            assert self._pipe is not None
            return self._pipe.open()
        self._handle = self._path.open("rb")
        return self._handle

    @property
    def bytes(self) -> int:
        if self._pipe is not None:
            return self._pipe.position
        return self._handle.tell() if self._handle and not self._handle.closed else 0


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """A log file. `named` is True if the user named it, and not only its folder."""

    file: LogFile
    position: ReadPosition
    named: bool


@dataclass(frozen=True, slots=True)
class UnreadableLog:
    """A file that cannot be opened, and the reason."""

    name: str
    reason: str
    named: bool


def find_logs(
    paths: Iterable[str], stdin: BinaryIO, mapping: Mapping[str, str] | None = None, model: str = ""
) -> list[OpenedLog | UnreadableLog]:
    """Return all files that `paths` name, in order, each once.

    `mapping` is field to column, `model` that of calls that name none. Raise InputError for a path or pattern without a
    file.
    """
    found: dict[str, OpenedLog | UnreadableLog] = {}
    for written in paths:
        for path, named in expand_path(written):
            name = "standard input" if path is None else str(path)
            if name not in found:
                found[name] = _open(path, name, stdin, named=named)
    # Some formats are split over several files, so each file knows the others.
    opened = [item for item in found.values() if isinstance(item, OpenedLog)]
    files = [replace(item.file, mapping=mapping or {}, model=model) for item in opened]
    for item, file in zip(opened, files, strict=True):
        found[file.name] = replace(item, file=file.with_others([other for other in files if other is not file]))
    return list(found.values())


def expand_path(written: str) -> Iterator[tuple[Path | None, bool]]:
    """Yield the files of one argument, with True if it names just this one. None is standard input."""
    path = Path(written)
    if written == STDIN:
        yield None, True
    elif path.is_dir():
        files = [item for item in sorted(path.rglob("*")) if item.is_file()]
        files = [item for item in files if not any(part.startswith(".") for part in item.relative_to(path).parts)]
        if not files:
            raise InputError(f"no file in {written}")
        yield from ((item, False) for item in files)
    elif path.exists():
        yield path, True
    elif glob.has_magic(written):
        matching = sorted(glob.glob(written, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        files = [Path(item) for item in matching if Path(item).is_file()]
        if not files:
            raise InputError(f"no file matches '{written}'")
        yield from ((item, len(files) == 1) for item in files)
    else:
        raise InputError(f"file not found: {written}", hint="name a file, a folder, a pattern, or - for a pipe")


def _open(path: Path | None, name: str, stdin: BinaryIO, *, named: bool) -> OpenedLog | UnreadableLog:
    try:
        position = ReadPosition(path, None if path else PipeBuffer(stdin))
        return OpenedLog(LogFile.from_opener(position.open, name, path), position, named)
    except (OSError, LogError) as error:
        reason = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        return UnreadableLog(name, reason, named)


@dataclass(frozen=True, slots=True)
class LogFiles:
    """The log files of a command. `columns` is field to column of a table, `model` that of calls that name none.

    `bad` counts the records that cannot be read, by cause.
    """

    paths: Sequence[str]
    columns: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    bad: Counter[str] = field(default_factory=Counter)

    def read(self) -> Iterator[tuple[str, LoggedCall]]:
        """Yield each call with the name of its file. Raise InputError if a file is not a log."""
        for file, format_ in self.logs(sys.stdin.buffer):
            try:
                for record in read_records(file, format_):
                    if isinstance(record, BadRecord):
                        self.bad[record.reason] += 1
                    else:
                        yield file.name, record
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise InputError(f"{file.name} cannot be read: {reason}") from None

    def logs(self, stdin: BinaryIO) -> Iterator[tuple[LogFile, str]]:
        """Yield each file with its format. Raise InputError if a file is not a log; in a folder, others may be."""
        for log in find_logs(self.paths, stdin, self.columns, self.model):
            if isinstance(log, UnreadableLog):
                raise InputError(f"{log.name} {log.reason}")
            format_ = detect_format(log.file)
            if format_ is not None:
                yield log.file, format_
            elif log.named:
                hint = "`promptbench import --help` lists what it can read"
                raise InputError(f"{log.file.name} {describe_unknown(log.file)}", hint=hint)


def read_records(file: LogFile, format_: str, *, timings: bool = False) -> Iterator[LoggedCall | BadRecord]:
    """Yield the calls of a file, and its bad records. Raise OSError or ValueError if the rest cannot be read.

    A call that names no model is one of `file.model`, as if its record had a field `model`. Unless only `timings` are
    read, a call of another tool without an input is a bad record: with its request it would be another call.
    """
    spec = load_format(format_)
    if timings:
        found = (spec.read_timings or spec.read)(file)
    else:
        # What `record_call` wrote is whole: an application may record only the answer that it could not use.
        found = spec.read(file) if format_ == "promptbench_log" else map(_require_input, spec.read(file))
    return map(file.with_model, found) if file.model else found


def _require_input(record: LoggedCall | BadRecord) -> LoggedCall | BadRecord:
    if isinstance(record, BadRecord) or record.messages or record.variables is not None:
        return record
    failed = f", and failed: {record.failed}" if record.tier is FailureTier.TRANSPORT else ""
    return BadRecord(record.id, f"it has no input{failed}; import the file of the requests together with it")
