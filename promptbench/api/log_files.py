"""The log files that a command line means: files, folders, patterns, and `-` for standard input."""

from __future__ import annotations

import glob
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from promptbench.core.errors import InputError
from promptbench.formats.log_file import LogError, LogFile
from promptbench.formats.piped import PipeBuffer

STDIN = "-"


class ReadPosition:
    """How far a file is read, in bytes as it lies on the disk. `size` is None for a pipe."""

    def __init__(self, path: Path | None, piped: PipeBuffer | None = None) -> None:
        self._path = path
        self._piped = piped
        self._handle: BinaryIO | None = None
        self.size = path.stat().st_size if path else None

    def open(self, mode: str = "rb") -> BinaryIO:
        """The file from its start, and from now on the one that counts."""
        if self._path is None:
            assert self._piped is not None
            return self._piped.open()
        self._handle = self._path.open("rb")
        return self._handle

    @property
    def bytes(self) -> int:
        if self._piped is not None:
            return self._piped.position
        return self._handle.tell() if self._handle and not self._handle.closed else 0


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """A file that was meant. `named` tells whether the user named it, rather than the folder that it is in."""

    file: LogFile
    position: ReadPosition
    named: bool


@dataclass(frozen=True, slots=True)
class UnreadableLog:
    """A file that was meant and cannot be opened, and why."""

    name: str
    reason: str
    named: bool


def find_logs(
    paths: Iterable[str], stdin: BinaryIO, mapping: Mapping[str, str] | None = None
) -> list[OpenedLog | UnreadableLog]:
    """All files that are meant, each once, in order; `mapping` leads from fields to columns.

    Raises InputError for a path or pattern that means nothing.
    """
    found: dict[str, OpenedLog | UnreadableLog] = {}
    for written in paths:
        for path, named in _expanded(written):
            name = "standard input" if path is None else str(path)
            if name not in found:
                found[name] = _opened(path, name, stdin, named=named)
    files = {
        name: replace(item.file, mapping=mapping or {}) for name, item in found.items() if isinstance(item, OpenedLog)
    }
    return [
        replace(item, file=files[name].with_others([file for other, file in files.items() if other != name]))
        if isinstance(item, OpenedLog)
        else item
        for name, item in found.items()
    ]


def _expanded(written: str) -> Iterator[tuple[Path | None, bool]]:
    if written == STDIN:
        yield None, True
        return
    path = Path(written)
    if path.is_dir():
        inside = [item for item in sorted(path.rglob("*")) if item.is_file() and not _is_hidden(item.relative_to(path))]
        if not inside:
            raise InputError(f"there is no file in {written}")
        yield from ((item, False) for item in inside)
    elif path.exists() or not glob.has_magic(written):
        if not path.exists():
            raise InputError(f"there is no file '{written}'", hint="name a file, a folder, a pattern, or - for a pipe")
        yield path, True
    else:
        matching = sorted(glob.glob(written, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        files = [Path(item) for item in matching if Path(item).is_file()]
        if not files:
            raise InputError(f"no file matches '{written}'")
        yield from ((item, len(files) == 1) for item in files)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _opened(path: Path | None, name: str, stdin: BinaryIO, *, named: bool) -> OpenedLog | UnreadableLog:
    try:
        position = ReadPosition(path, None if path else PipeBuffer(stdin))
        return OpenedLog(LogFile.from_opener(position.open, name, path), position, named)
    except OSError as error:
        return UnreadableLog(name, f"cannot be read: {error.strerror or error}", named)
    except (LogError, io.UnsupportedOperation) as error:
        return UnreadableLog(name, str(error), named)
