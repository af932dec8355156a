"""Read a user's text file in the encodings that editors write, and map offsets to locations."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from promptbench.core.diagnostics import Code, Diagnostic, Location

MAX_BYTES = 8 * 1024 * 1024


class SourceError(Exception):
    """A file that cannot be read; `diagnostic` gives the reason."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(frozen=True)
class Source:
    """The text of a file with LF line ends. `path` is the name shown to the user."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def starts(self) -> list[int]:
        """Return the offset of the start of each line, in characters."""
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts[:-1]

    def location(self, line: int, column: int, length: int = 1) -> Location:
        """Return the location at `line` and `column`, both from 1."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return Location(self.path, line, column, max(1, length), text)

    def location_at(self, offset: int, length: int = 1) -> Location:
        """Return the location `offset` characters into the text, cut at the end of its line."""
        line = bisect_right(self.starts, offset)
        column = offset - self.starts[line - 1]
        return self.location(line, column + 1, min(length, len(self.lines[line - 1]) - column))


def read_source(path: Path, shown: str, *, max_bytes: int = MAX_BYTES) -> Source:
    """Read a file as text: UTF-8 with or without BOM, or UTF-16 with BOM.

    Raise SourceError if it is missing, not text, empty, or larger than `max_bytes`.
    """

    def refuse(code: Code, message: str, hint: str | None = None, location: Location | None = None) -> SourceError:
        return SourceError(Diagnostic(code, message, location or Location(shown), hint))

    try:
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise refuse(Code.FILE_NOT_FOUND, "file not found") from None
    except IsADirectoryError:
        raise refuse(Code.UNREADABLE_FILE, "this is a folder, not a file") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise refuse(Code.UNREADABLE_FILE, f"the file cannot be read: {why}") from None
    if len(raw) > max_bytes:
        raise refuse(
            Code.TOO_BIG,
            f"the file is larger than {max_bytes // (1024 * 1024)} MB",
            "split it into several suites, or move the cases to a .jsonl file",
        )
    text = _decode(raw)
    if text is None or "\0" in text:
        hint = "save it as plain text, encoding UTF-8"
        if _is_bare_utf16(raw):
            raise refuse(Code.UNREADABLE_FILE, "the file is UTF-16 text without a byte order mark", hint)
        if b"\0" in raw:
            raise refuse(Code.UNREADABLE_FILE, "this is not a text file", hint)
        raise refuse(Code.UNREADABLE_FILE, "the file is not UTF-8 text", hint, _first_odd(raw, shown))
    if not text.strip():
        raise refuse(Code.EMPTY_FILE, "the file is empty")
    return Source(shown, text.replace("\r\n", "\n").replace("\r", "\n"))


def _is_bare_utf16(raw: bytes) -> bool:
    """Return whether every second byte of the start is zero, as in western text in UTF-16."""
    start = raw[:200]
    return len(start) > 3 and any(not any(start[side::2]) and all(start[1 - side :: 2]) for side in (0, 1))


def _first_odd(raw: bytes, shown: str) -> Location:
    """Return the location of the first invalid byte. The line is decoded as cp1252, the likely encoding."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        start = before.rfind(b"\n") + 1
        column = len(before[start:].decode("utf-8")) + 1
        rest = raw[error.start :].replace(b"\r", b"\n").partition(b"\n")[0]
        return Location(
            shown, before.count(b"\n") + 1, column, 1, before[start:].decode("utf-8") + rest.decode("cp1252", "replace")
        )
    return Location(shown)


def _decode(raw: bytes) -> str | None:
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None
