"""Find a user's files below a folder, read them in the encodings that editors write, and map offsets to locations."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path, PureWindowsPath

from promptbench.core.errors import Code, Diagnostic, Diagnostics, Location

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


def below(
    folder: Path, written: str, location: Location, found: Diagnostics, *, root: Path | None = None
) -> Path | None:
    """Return the path `written` from `folder`, existing or not. Add a diagnostic and return None if it is outside.

    It must be below the folder, or below the project's `root` if that is given.
    """
    path = Path(folder, written.replace("\\", "/"))
    windows = PureWindowsPath(written)
    try:
        path.is_file()  # raises ValueError for an impossible name
        outside = bool(windows.root or windows.drive) or not path.resolve().is_relative_to((root or folder).resolve())
    except (OSError, ValueError, RuntimeError):
        found.add(Code.BAD_VALUE, f"'{written}' is not a valid file name", location)
        return None
    if outside:
        found.add(
            Code.PATH_OUTSIDE,
            f"'{written}' is outside the {'project' if root else 'suite'}'s folder",
            location,
            hint="copy the file next to the suite, and write only its name",
        )
        return None
    return path


def matches(
    folder: Path,
    written: str,
    location: Location,
    found: Diagnostics,
    *,
    hint: str,
    counts: Callable[[Path], bool] = lambda _: True,
) -> Iterator[Path]:
    """Yield the files below `folder` that a name or a pattern means, those of a pattern in order.

    A file that is named need not exist, and a pattern leaves out those that do not count. A pattern that is invalid,
    matches nothing, or leaves the folder adds a diagnostic; `hint` is that of no match.
    """
    path = below(folder, written, location, found)
    if path is None:
        return
    if path.is_file() or not any(char in written for char in "*?["):
        yield path
        return
    try:
        files = [item for item in sorted(folder.glob(written.replace("\\", "/"))) if item.is_file() and counts(item)]
    except ValueError:
        advice = f"'**' must be a whole part of the path, as in **/NAME{path.suffix}"
        found.add(Code.BAD_VALUE, f"'{written}' is not a valid pattern", location, hint=advice)
        return
    if not files:
        found.add(Code.FILE_NOT_FOUND, f"no file matches '{written}'", location, hint=hint)
    # A match may leave the suite's folder by a symbolic link.
    yield from (item for item in files if below(folder, item.relative_to(folder).as_posix(), location, found))
