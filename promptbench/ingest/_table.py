"""Tables in text (CSV, TSV, with semicolons): a header, then a row at a time. A cell may hold many lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json

_DELIMITERS = ",;\t|"
_LONGEST_NAME = 120
_MOST_CHARACTERS = 16 * 1024 * 1024
_NO_TEXT = (b"\x00", b"PK\x03\x04", b"SQLite", b"PAR1", b"%PDF")


def columns(file: Log) -> tuple[str, ...]:
    """The names in the header; empty for what is no table."""
    start = file.head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start or start.startswith((b"{", b"[", *_NO_TEXT)):
        return ()
    try:
        first = next(file.text(), "")
        delimiter = _delimiter(first)
        names = next(csv.reader(file.text(), delimiter=delimiter, skipinitialspace=True)) if delimiter else []
    except (ValueError, OSError, csv.Error, StopIteration):
        return ()
    found = tuple(name.strip() for name in names)
    # Prose has commas too; the names of columns are short.
    return found if sum(map(bool, found)) > 1 and max(map(len, found)) <= _LONGEST_NAME else ()


def rows(file: Log) -> Iterator[tuple[str, dict[str, Json]] | BadRecord]:
    """Each row with its place (`line 12`, where it starts), as an object of the cells that are not empty."""
    names = columns(file)
    delimiter = _delimiter(next(file.text(), ""))
    if not (names and delimiter):
        return
    csv.field_size_limit(_MOST_CHARACTERS)  # of the whole process; Python's own, 128 KB, is shorter than a prompt
    reader = csv.reader(file.text(), delimiter=delimiter, skipinitialspace=True)
    header = True
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRecord(place, f"no row of a table: {error}")
            continue
        except ValueError as error:
            yield BadRecord(place, str(error))
            return
        if header:
            header = False
        elif any(cells[len(names) :]):
            yield BadRecord(place, f"it has {len(cells)} cells, and the header has {len(names)}")
        elif any(cells):
            yield place, {name: cell for name, cell in zip(names, cells, strict=False) if name and cell}


def records(file: Log) -> Iterator[tuple[str, Json] | BadRecord]:
    """The records of a log that may come as JSON or as a table."""
    return rows(file) if columns(file) else file.records()


def first(file: Log) -> dict[str, Json]:
    """The first record of either, for detection: of a table, an object with its columns' names as keys."""
    return file.first_record or dict.fromkeys(columns(file), "")


def _delimiter(header: str) -> str | None:
    """The one that the header has most of, outside of quotes."""
    outside = "".join(header.split('"')[::2])
    best = max(_DELIMITERS, key=outside.count)
    return best if best in outside else None
