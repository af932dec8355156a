"""Read a user's text file in the encodings that editors write, and map offsets to locations."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from promptbench.core.errors import Code, Diagnostic, Location

MAX_BYTES = 8 * 1024 * 1024
TOO_LARGE = "write 'cases: cases.jsonl', and move the cases to that file next to the suite, one JSON object a line"


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
        return [0, *accumulate(len(line) + 1 for line in self.lines)][:-1]

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
            TOO_LARGE,
        )
    raw, utf16 = raw.removeprefix(b"\xef\xbb\xbf"), raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    hint = "save it as plain text, encoding UTF-8"
    if b"\0" in raw and not utf16:
        raise refuse(Code.UNREADABLE_FILE, "this is not a text file, or it is UTF-16 without a byte order mark", hint)
    try:
        text = raw.decode("utf-16" if utf16 else "utf-8")
    except UnicodeDecodeError as error:
        location = None if utf16 else _first_odd(raw, error.start, shown)
        raise refuse(Code.UNREADABLE_FILE, "the file is not UTF-8 text", hint, location) from None
    if "\0" in text:
        raise refuse(Code.UNREADABLE_FILE, "this is not a text file", hint)
    if not text.strip():
        raise refuse(Code.EMPTY_FILE, "the file is empty")
    return Source(shown, text.replace("\r\n", "\n").replace("\r", "\n"))


def _first_odd(raw: bytes, position: int, shown: str) -> Location:
    """Return the location of the invalid byte at `position`. Its line is decoded as cp1252, the likely encoding."""
    before, rest = (part.replace(b"\r\n", b"\n").replace(b"\r", b"\n") for part in (raw[:position], raw[position:]))
    start = before[before.rfind(b"\n") + 1 :].decode("utf-8")
    text = start + rest.partition(b"\n")[0].decode("cp1252", "replace")
    return Location(shown, before.count(b"\n") + 1, len(start) + 1, 1, text)
