"""A log file as readers see it: decompressed bytes, decoded text, JSON one record at a time.

Memory stays constant for a file of any size: lines and records have a maximum length, and arrays are read by item.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO

from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest.files.streams import CHUNK_BYTES, LogError, open_gzip, open_stream
from promptbench.parsing import _strict

HEAD_BYTES = 64 * 1024
# No call is longer than this, so a longer line or record is an error.
RECORD_BYTES = 16 * 1024 * 1024
# A larger document is read item by item.
WHOLE_BYTES = 4 * 1024 * 1024
# One process reads lines of this size at a time.
_PART_BYTES = 1024 * 1024
# The keys under which exporters keep their list of records.
ENVELOPES = ("data", "runs", "requests", "results", "records", "items", "observations", "calls", "logs", "rows")

TOO_LONG = "longer than 16 MB"
TOO_DEEP = f"nested more than {_strict.MOST_DEPTH} levels deep"

# A format is still detected if this many of the first records are bad.
_MAX_BAD_FIRST = 20


def _is_new(line: str) -> bool:
    return False


@dataclass(frozen=True, eq=False)
class LogFile:
    """One file of an import.

    Args:
        name: The name that the user knows.
        path: The location, for readers that need one (SQLite); None if the file is compressed or a pipe.
        head: The first 64 KB, decompressed.
        opener: Return the decompressed bytes, from the start at each call.
        others: The other files of the same import, for formats that consist of two files.
        mapping: Field to column, for tables whose columns have other than the usual names.
        model: The model of calls that name none.
        is_known: Return True for a line of JSON Lines that need not be read.
        first_line: The number of the first line in a part of JSON Lines; None for a whole file.
    """

    name: str
    path: Path | None
    head: bytes
    opener: Callable[[], BinaryIO] = field(repr=False)
    others: Sequence[LogFile] = field(default=(), repr=False)
    mapping: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    is_known: Callable[[str], bool] = field(default=_is_new, repr=False)
    first_line: int | None = None

    @classmethod
    def from_path(cls, path: Path, name: str | None = None) -> LogFile:
        """Return the file at `path`, which may be gzipped. Raise OSError, or LogError if the gzip data is damaged."""
        return cls.from_opener(path.open, name or str(path), path)

    @classmethod
    def from_opener(cls, opener: Callable[[str], Any], name: str, path: Path | None = None) -> LogFile:
        """Return a file whose bytes come from `opener("rb")`."""
        with opener("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"

        def open_plain() -> BinaryIO:
            file: BinaryIO = opener("rb")
            return open_gzip(file) if packed else file

        with open_plain() as file:
            try:
                head = file.read(HEAD_BYTES)
            except LogError:
                raise LogError("is not a valid gzip file") from None
        return cls(name, None if packed else path, head, open_plain)

    def with_others(self, others: Sequence[LogFile]) -> LogFile:
        """Return this file with the other files of its import."""
        return replace(self, others=tuple(others))

    def with_model(self, record: LoggedCall | BadRecord) -> LoggedCall | BadRecord:
        """Return a record of this file with the file's model, if it names none."""
        if isinstance(record, BadRecord) or record.model:
            return record
        raw = {**record.raw, "model": self.model} if isinstance(record.raw, dict) else record.raw
        return replace(record, model=self.model, raw=raw)

    def open(self) -> BinaryIO:
        """Return the decompressed bytes, from the start."""
        return self.opener()

    @property
    def is_json_lines(self) -> bool:
        """True if each line is a record in JSON."""
        return self._is_lines and self._head_text.startswith("{")

    def split_lines(self) -> Iterator[LogFile]:
        """Yield parts of a JSON Lines file as files that can be pickled. The last one raises the error of this one."""
        first, reason = 1, ""
        with self._open_utf8(self._encoding) as file:
            while not reason:
                content = bytearray()
                try:
                    while len(content) < _PART_BYTES and (piece := file.read1(CHUNK_BYTES)):  # type: ignore[attr-defined]
                        content += piece
                    # All of a line that is not too long, and enough of one that is.
                    rest = file.readline(RECORD_BYTES + 1)
                    content += rest
                    while rest and not rest.endswith(b"\n"):
                        rest = file.readline(RECORD_BYTES)
                except (OSError, LogError) as error:
                    reason = str(error)
                if not content and not reason:
                    return
                opener = partial(_open_part, bytes(content), reason)
                yield LogFile(self.name, None, b"{", opener, mapping=self.mapping, model=self.model, first_line=first)
                first += content.count(b"\n") + (not content.endswith(b"\n"))

    def text(self) -> Iterator[str]:
        """Yield the decoded lines, each ending in LF. Raise LogError for a line that is too long."""
        for number, line in self.lines():
            if line is None:
                raise LogError(f"cannot be read from line {number} on: that line is {TOO_LONG}")
            yield line

    def records(self, at: Sequence[str] = ()) -> Iterator[tuple[str, Json] | BadRecord]:
        """Yield each record with its location (`line 12`, `record 3`).

        Records are the lines of JSON Lines, or the items of an array. The array is the whole document, or the value
        of one of `ENVELOPES`; a deeper one is found by the keys `at`. Any other document is one record. A record
        that cannot be read is a BadRecord.
        """
        reading = self._line_records() if self._is_lines else self._document_records(tuple(at))
        location = f"line {self.first_line - 1}" if self.first_line and self.first_line > 1 else "the beginning"
        try:
            for record in reading:
                location = record.place if isinstance(record, BadRecord) else record[0]
                yield record
        except LogError as error:
            yield BadRecord(f"after {location}", str(error))

    @cached_property
    def first_record(self) -> dict[str, Json] | None:
        """The first record if it is an object, for detection."""
        for tried, record in enumerate(self.records()):
            if isinstance(record, tuple):
                return record[1] if isinstance(record[1], dict) else None
            if tried == _MAX_BAD_FIRST:
                break
        return None

    @cached_property
    def document_keys(self) -> frozenset[str]:
        """The keys of the first object of the file: the first line, or the document around the records.

        For a large document, the keys in its head.
        """
        if self._is_lines:
            return frozenset(self.first_record or ())
        return frozenset(read_keys(self._head_text))

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

    def lines(self) -> Iterator[tuple[int, str | None]]:
        """Yield the number and text of each line; None for a line that is too long."""
        number = (self.first_line or 1) - 1
        with self._open_utf8(self._encoding) as file:
            while line := file.readline(RECORD_BYTES + 1):
                number += 1
                if len(line) <= RECORD_BYTES:
                    yield number, _decode(line)
                    continue
                while line and not line.endswith(b"\n"):
                    line = file.readline(RECORD_BYTES)
                yield number, None

    @cached_property
    def _is_lines(self) -> bool:
        """True if each line is a record: unless the first line starts a document that the next ones continue."""
        if self.first_line:
            return True
        if self._head_text.startswith("["):
            return False
        lines = (line for _, line in self.lines() if line is None or not line.isspace())
        try:
            first, second = next(lines, ""), next(lines, "")
        except LogError:
            return True
        if first is not None and not first.lstrip().startswith("{"):
            return True
        if first is not None and _is_json(first):
            return second != ""
        # A broken line, unless the following lines are parts of the same document.
        return second is not None and second.startswith("{") and _is_json(second)

    def _line_records(self) -> Iterator[tuple[str, Json] | BadRecord]:
        for number, line in self.lines():
            location = f"line {number}"
            if line is None:
                yield BadRecord(location, TOO_LONG)
            elif not line.isspace() and not self.is_known(line):
                yield _parse(location, line)

    def _document_records(self, at: tuple[str, ...]) -> Iterator[tuple[str, Json] | BadRecord]:
        keys = self._keys_to_list(at)
        limit = RECORD_BYTES if keys is None else WHOLE_BYTES
        with self._open_utf8(self._document_encoding) as file:
            text = file.read(limit + 1)
        if len(text) <= limit:
            whole = _parse("record 1", _decode(text))
            items = _find_items(whole[1], at) if isinstance(whole, tuple) else None
            if items is not None:
                yield from ((f"record {number}", item) for number, item in enumerate(items, 1))
            elif keys is not None and isinstance(whole, BadRecord):
                # The items before the first bad one can be read, and all if there is only a comma too many at the end.
                yield from self._stream_items(keys)
            else:
                yield whole
        elif keys is None:
            yield BadRecord("record 1", f"{TOO_LONG}, and not a list of records")
        else:
            yield from self._stream_items(keys)

    def _stream_items(self, at: Sequence[str]) -> Iterator[tuple[str, Json] | BadRecord]:
        number = 0
        try:
            with self._open_utf8(self._document_encoding) as file:
                items = iterate_array(file, at, max_characters=RECORD_BYTES)
                for number, item in enumerate(items, 1):
                    yield f"record {number}", item
        except BrokenArray as error:
            yield BadRecord(f"record {number + 1}", str(error))

    def _keys_to_list(self, at: tuple[str, ...]) -> Sequence[str] | None:
        """Return the keys that lead to the list of records; None if the head of the document shows no such list."""
        if self._head_text.startswith("["):
            return ()
        return at or [key for key in read_keys(self._head_text) if key in ENVELOPES][:1] or None

    @cached_property
    def _head_text(self) -> str:
        if self._encoding != "utf-8":
            return self.head.decode(self._encoding, "replace").removeprefix("\ufeff").lstrip()
        return _decode(self.head.removeprefix(codecs.BOM_UTF8)).lstrip()

    @property
    def _document_encoding(self) -> str:
        try:
            codecs.getincrementaldecoder(self._encoding)().decode(self.head)
        except UnicodeDecodeError:
            return "cp1252"
        return self._encoding

    def _open_utf8(self, encoding: str) -> BinaryIO:
        """Return the file, which is in `encoding`, in UTF-8 without a byte order mark."""
        file = self.open()
        if self.head.startswith(codecs.BOM_UTF8):
            file.read(len(codecs.BOM_UTF8))
        if encoding == "utf-8":
            return file
        text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        return open_stream((part.encode("utf-8", "replace") for part in iter(lambda: text.read(CHUNK_BYTES), "")), text)


def _open_part(content: bytes, reason: str) -> BinaryIO:
    def pieces() -> Iterator[bytes]:
        yield content
        raise LogError(reason)

    return open_stream(pieces()) if reason else io.BytesIO(content)


def _decode(line: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            text = line.decode(encoding)
            break
        except UnicodeDecodeError:
            text = line.decode("latin-1")
    return text[:-2] + "\n" if text.endswith("\r\n") else text


def _is_json(line: str) -> bool:
    return _strict.parse(line) is not _strict.MISSING


def _parse(location: str, text: str) -> tuple[str, Json] | BadRecord:
    value = _strict.parse(text)
    return BadRecord(location, _explain_invalid(text.rstrip())) if value is _strict.MISSING else (location, value)


def _explain_invalid(text: str) -> str:
    """Return why `text` is not strict JSON. The reason quotes nothing, because the text is not redacted yet."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg}, at column {error.colno}"
    except RecursionError:
        return TOO_DEEP
    except ValueError:
        return "not JSON: a number with too many digits"
    if _strict.too_deep(value):
        return TOO_DEEP
    return "not strict JSON: a duplicate key, NaN or infinity, or a lone surrogate"


def _find_items(document: Json, at: tuple[str, ...]) -> list[Json] | None:
    """Return the records of a document; None if the document is itself the record."""
    if isinstance(document, list):
        return document
    for key in at:
        document = document.get(key) if isinstance(document, dict) else None
    if at:
        return document if isinstance(document, list) else []
    if not isinstance(document, dict):
        return None
    return next((item for key, item in document.items() if key in ENVELOPES and isinstance(item, list)), None)


# Read an array of JSON item by item. The scanner of the standard library reads each item as soon as all of it is in
# memory. Event-based parsers keep the path to the current value; on deep nesting the `ijson` package needs quadratic
# memory, which an untrusted log could exploit.
_CHUNK = 1024 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_NOT_JSON = "not JSON from here on"


class BrokenArray(ValueError):
    """The document cannot be read any further. The message is the reason."""


def iterate_array(file: BinaryIO, at: Sequence[str], *, max_characters: int) -> Iterator[Json]:
    """Yield the items of the array at the keys `at`, from UTF-8; nothing if there is no such array.

    A comma after the last item is accepted, because some exporters write one. Raise BrokenArray if the text is not
    JSON, and for an item of more than `max_characters` characters, or nested too deeply.
    """
    document = _Document(file, max_characters)
    for key in at:
        if not document.enter(key):
            return
    if not document.skip("["):
        return
    while not document.skip("]"):
        yield document.read_value()
        if not document.skip(","):
            if not document.skip("]"):
                raise BrokenArray(_NOT_JSON)
            return


def read_keys(text: str) -> tuple[str, ...]:
    """Return the keys of the outermost object, as far as `text`, the beginning of a document, contains them."""
    found: list[str] = []
    position = _skip_space(text, 0)
    if text[position : position + 1] != "{":
        return ()
    position = _skip_space(text, position + 1)
    try:
        while text[position : position + 1] == '"':
            key, position = _DECODER.raw_decode(text, position)
            found.append(key)
            position = _skip_space(text, position)
            _, position = _DECODER.raw_decode(text, _skip_space(text, position + 1))
            position = _skip_space(text, _skip_space(text, position) + 1)
    except (ValueError, RecursionError):
        pass  # the text may end anywhere
    return tuple(found)


class _Document:
    """A window on the text, from the current position on. It is extended as needed."""

    def __init__(self, file: BinaryIO, max_characters: int) -> None:
        self._file = file
        self._max_characters = max_characters
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._position = 0
        self._ended = False

    def skip(self, char: str) -> bool:
        """Skip white space, then `char`. Return False if another character is next."""
        while True:
            self._position = _skip_space(self._text, self._position)
            if self._position < len(self._text) or not self._extend(_CHUNK):
                break
        if self._text[self._position : self._position + 1] != char:
            return False
        self._position += 1
        return True

    def enter(self, key: str) -> bool:
        """Move to the value of `key` in the object that is next. Return False if it has no such key."""
        if not self.skip("{"):
            return False
        while not self.skip("}"):
            found = self.read_value()
            if not self.skip(":"):
                raise BrokenArray(_NOT_JSON)
            if found == key:
                self.skip("")
                return True
            self.read_value()
            self.skip(",")
        return False

    def read_value(self) -> Json:
        """Return the next value and move past it."""
        self.skip("")
        while True:
            value, end = _strict.parse_at(self._text, self._position)
            # A number at the end of the text may continue in the next chunk.
            if value is not _strict.MISSING and (end < len(self._text) or self._ended):
                self._position = end
                return value
            size = len(self._text) - self._position
            if size > self._max_characters:
                raise BrokenArray(f"{_NOT_JSON}, or a record longer than 16 MB")
            # Double the window, so that parsing again costs no more than parsing once.
            if not self._extend(max(_CHUNK, size)):
                raise BrokenArray(f"{_NOT_JSON}, or nested more than {_strict.MOST_DEPTH} levels deep")

    def _extend(self, count: int) -> bool:
        if self._ended:
            return False
        part = self._file.read(count)
        self._ended = not part
        self._text = self._text[self._position :] + self._decoder.decode(part, final=self._ended)
        self._position = 0
        return True


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
