"""A log as its readers see it: bytes without their compression, text without its encoding, JSON one record at a time.

A file of any size is read in flat memory: lines and records have a bound, and an array is read item by item.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from promptbench.core.types import BadRecord, Json
from promptbench.formats import _strict, json_array
from promptbench.formats.bounded_gzip import BoundedGzip, CompressionBomb

HEAD_BYTES = 64 * 1024
RECORD_BYTES = 16 * 1024 * 1024
"""A longer line, or document that is one record, is refused: nobody's call is that long."""
WHOLE_BYTES = 4 * 1024 * 1024
"""A larger document is not read at once."""
DEPTH = 256
ENVELOPES = ("data", "runs", "requests", "results", "records", "items", "observations", "calls", "logs", "rows")
"""The keys under which exports keep their list of records."""

TOO_LONG = "longer than 16 MB"
TOO_DEEP = f"nested more than {DEPTH} levels deep"

_TRIED = 20
"""Records at the beginning of a file that may be bad, and the file is recognised all the same."""
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


class LogError(ValueError):
    """A log that cannot be read, or not any further. Its text is a phrase that follows the file's name."""


@dataclass(frozen=True, eq=False)
class LogFile:
    """One file of an import. `name` is how the user knows it.

    `path` is where the file lies, for readers that need one (SQLite); None when it is compressed or came by a pipe.
    `head` is its first 64 KB, decompressed. `others` are the other files of the same import, for formats that come
    as a pair. `mapping` says which column holds what, for formats without names of their own: field to column.
    """

    name: str
    path: Path | None
    head: bytes
    opener: Callable[[], BinaryIO] = field(repr=False)
    others: Sequence[LogFile] = field(default=(), repr=False)
    mapping: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_path(cls, path: Path, name: str | None = None) -> LogFile:
        """The file at `path`, compressed by gzip or not. Raises OSError, or LogError when its beginning is damaged."""
        return cls.from_opener(path.open, name or str(path), path)

    @classmethod
    def from_opener(cls, opener: Callable[[str], Any], name: str, path: Path | None = None) -> LogFile:
        """The bytes that `opener("rb")` gives, each time from the start."""
        with opener("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"

        def opened() -> BinaryIO:
            file: BinaryIO = opener("rb")
            return io.BufferedReader(BoundedGzip(file), HEAD_BYTES) if packed else file

        with opened() as file:
            try:
                head = file.read(HEAD_BYTES)
            except _DAMAGED:
                raise LogError("is no sound gzip file") from None
        return cls(name, None if packed else path, head, opened)

    def with_others(self, others: Sequence[LogFile]) -> LogFile:
        """The same file, with the other files of its import."""
        return replace(self, others=tuple(others))

    def open(self) -> BinaryIO:
        """The file from its start, decompressed. Reading raises LogError when it expands like a bomb."""
        return self.opener()

    def text(self) -> Iterator[str]:
        """The lines, decoded, each with its end as LF. Raises LogError at a line beyond the bound."""
        for number, line in self._lines():
            if line is None:
                raise LogError(f"cannot be read from line {number} on: that line is {TOO_LONG}")
            yield line

    def records(self, at: Sequence[str] = ()) -> Iterator[tuple[str, Json] | BadRecord]:
        """Each record with its place (`line 12`, `record 3`): the lines of JSON Lines, or the items of an array.

        The array may be the whole document, or stand under one of the `ENVELOPES`; where it is deeper, `at` has the
        keys that lead to it. Any other document is one record. What cannot be read is a BadRecord.
        """
        reading = self._line_records() if self._is_lines else self._document_records(tuple(at))
        place = "the beginning"
        try:
            for record in reading:
                place = record.place if isinstance(record, BadRecord) else record[0]
                yield record
        except (LogError, CompressionBomb) as error:
            yield BadRecord(f"after {place}", str(error))
        except _DAMAGED:
            yield BadRecord(f"after {place}", "the compressed file is damaged or cut short")

    def sample(self) -> dict[str, Json] | None:
        """The first record, if it is an object; for detection."""
        return self._sample

    def keys(self) -> frozenset[str]:
        """The keys of the file's first JSON object, not of the records in it; of a large document those in its head."""
        return self._keys

    @cached_property
    def _sample(self) -> dict[str, Json] | None:
        for tried, record in enumerate(self.records()):
            if isinstance(record, tuple):
                return record[1] if isinstance(record[1], dict) else None
            if tried == _TRIED:
                break
        return None

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(self._sample or ()) if self._is_lines else frozenset(json_array.read_keys(self._head_text))

    @cached_property
    def _encoding(self) -> str:
        head = self.head
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if len(head) > 1 and head[0] and not head[1]:
            return "utf-16-le"
        if len(head) > 1 and not head[0] and head[1]:
            return "utf-16-be"
        return "utf-8"

    def _lines(self) -> Iterator[tuple[int, str | None]]:
        """Number and text of each line; None for one beyond the bound."""
        with self.open() as file:
            if self._encoding == "utf-8":
                yield from _narrow_lines(file)
            else:
                with io.TextIOWrapper(file, self._encoding, errors="replace", newline="\n") as text:
                    yield from _wide_lines(text)

    @cached_property
    def _is_lines(self) -> bool:
        """Whether each line is a record: unless the first starts a document that goes on behind it."""
        if self._head_text.startswith("["):
            return False
        lines = (line for _, line in self._lines() if line is None or not line.isspace())
        try:
            first, second = next(lines, ""), next(lines, "")
        except (CompressionBomb, *_DAMAGED):
            return True
        if first is not None and not first.lstrip().startswith("{"):
            return True
        if first is not None and _is_whole(first):
            return second != ""
        # A line that is broken, unless what follows it are parts of the same document.
        return second is not None and second.startswith("{") and _is_whole(second)

    def _line_records(self) -> Iterator[tuple[str, Json] | BadRecord]:
        for number, line in self._lines():
            place = f"line {number}"
            if line is None:
                yield BadRecord(place, TOO_LONG)
            elif not line.isspace():
                yield _parsed(place, line)

    def _document_records(self, at: tuple[str, ...]) -> Iterator[tuple[str, Json] | BadRecord]:
        way = self._list_at(at)
        most = RECORD_BYTES if way is None else WHOLE_BYTES
        with self._utf8() as file:
            text = file.read(most + 1)
        if len(text) <= most:
            whole = _parsed("record 1", _decoded(text))
            items = _items(whole[1], at) if isinstance(whole, tuple) else None
            if items is None:
                yield whole
                return
            for number, item in enumerate(items, 1):
                yield f"record {number}", item
        elif way is None:
            yield BadRecord("record 1", f"{TOO_LONG}, and no list of records")
        else:
            yield from self._streamed(way)

    def _streamed(self, at: Sequence[str]) -> Iterator[tuple[str, Json] | BadRecord]:
        number = 0
        try:
            with self._utf8() as file:
                for number, item in enumerate(json_array.iterate_array(file, at, most=RECORD_BYTES, depth=DEPTH), 1):
                    yield f"record {number}", item
        except json_array.BrokenArray as error:
            yield BadRecord(f"record {number + 1}", str(error))

    def _list_at(self, at: tuple[str, ...]) -> Sequence[str] | None:
        """The keys that lead to the document's list of records; None where it seems to have none."""
        if self._head_text.startswith("["):
            return ()
        return at or [key for key in json_array.read_keys(self._head_text) if key in ENVELOPES][:1] or None

    @cached_property
    def _head_text(self) -> str:
        if self._encoding != "utf-8":
            return self.head.decode(self._encoding, "replace").removeprefix("\ufeff").lstrip()
        return _decoded(self.head.removeprefix(codecs.BOM_UTF8)).lstrip()

    def _utf8(self) -> BinaryIO:
        """The file from its start as UTF-8 without a mark; what is no UTF-8 in its head is taken for Windows' own."""
        encoding, file = self._encoding, self.open()
        if encoding == "utf-8" and not _is_utf8(self.head):
            encoding = "cp1252"
        if encoding != "utf-8":
            return io.BufferedReader(_Recoded(io.TextIOWrapper(file, encoding, errors="replace", newline="")))
        if self.head.startswith(codecs.BOM_UTF8):
            file.read(len(codecs.BOM_UTF8))
        return file


class _Recoded(io.RawIOBase):
    """Decoded text as UTF-8 bytes."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = self._text.read(HEAD_BYTES).removeprefix("\ufeff").encode("utf-8", "replace")
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._text.close()
        super().close()


def _narrow_lines(file: BinaryIO) -> Iterator[tuple[int, str | None]]:
    number = 0
    while line := file.readline(RECORD_BYTES + 1):
        number += 1
        if len(line) > RECORD_BYTES:
            while not line.endswith(b"\n") and line:
                line = file.readline(RECORD_BYTES)
            yield number, None
        else:
            yield number, _decoded(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)


def _wide_lines(file: io.TextIOWrapper) -> Iterator[tuple[int, str | None]]:
    number = 0
    while line := file.readline(RECORD_BYTES + 1):
        number += 1
        if len(line) > RECORD_BYTES:
            while not line.endswith("\n") and line:
                line = file.readline(RECORD_BYTES)
            yield number, None
        else:
            yield number, _lf(line.removeprefix("\ufeff"))


def _decoded(line: bytes) -> str:
    """UTF-8; what is none is Windows' own Latin-1."""
    try:
        return _lf(line.decode())
    except UnicodeDecodeError:
        try:
            return _lf(line.decode("cp1252"))
        except UnicodeDecodeError:
            return _lf(line.decode("latin-1"))


def _lf(line: str) -> str:
    return line[:-2] + "\n" if line.endswith("\r\n") else line


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _is_whole(line: str) -> bool:
    return _strict.parse(line, DEPTH) is not _strict.MISSING


def _parsed(place: str, text: str) -> tuple[str, Json] | BadRecord:
    value = _strict.parse(text, DEPTH)
    return BadRecord(place, _why_not(text.rstrip())) if value is _strict.MISSING else (place, value)


def _why_not(text: str) -> str:
    """Why `text` is not strict JSON. Nothing of the text is in it, because it is not redacted yet."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg}, at column {error.colno}"
    except RecursionError:
        return TOO_DEEP
    except ValueError:
        return "not JSON: a number with too many digits"
    if _strict.deeper_than(value, DEPTH):
        return TOO_DEEP
    return "not strict JSON: a key that is there twice, NaN or infinity, or half a character"


def _items(document: Json, at: tuple[str, ...]) -> list[Json] | None:
    """The records of a document that is a list of them."""
    if isinstance(document, list):
        return document
    for key in at:
        document = document.get(key) if isinstance(document, dict) else None
    if at:
        return document if isinstance(document, list) else []
    if not isinstance(document, dict):
        return None
    return next((item for key, item in document.items() if key in ENVELOPES and isinstance(item, list)), None)
