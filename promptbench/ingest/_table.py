"""Logs in delimited text (CSV, TSV, with semicolons): a header, and a call on each row."""

import csv
import re
from collections import Counter
from collections.abc import Iterator

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json
from promptbench.tables.delimited import DelimitedReader, detect_delimiter

_MAX_NAME_LENGTH = 120
# The name of a column may begin with a bracket, but not like an array.
_OTHER_FORMATS = re.compile(rb'\{|\[\s*["{\[\]\d-]|\[\s*$|\x00|PK\x03\x04|SQLite|PAR1|%PDF', re.MULTILINE)


def columns(file: Log, longest: int = _MAX_NAME_LENGTH) -> tuple[str, ...]:
    """Return the names in the header, or () if the file is not a table: one of its names is longer than `longest`.

    A name that occurs again gets its number, as in `Status.2`.
    """
    start = file.head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start or _OTHER_FORMATS.match(start):
        return ()
    try:
        reader = _reader(file)
        names = next(reader)[1] if reader else []
    except (ValueError, OSError, csv.Error, StopIteration):
        return ()
    found = [name.strip() for name in names]
    # Prose has commas too, but the names of columns are short.
    if sum(map(bool, found)) <= 1 or max(map(len, found)) > longest:
        return ()
    seen: Counter[str] = Counter()
    for place, name in enumerate(found):
        seen[name] += 1
        found[place] = f"{name}.{seen[name]}" if name and seen[name] > 1 else name
    return tuple(found)


def rows(file: Log, longest: int = _MAX_NAME_LENGTH) -> Iterator[tuple[str, dict[str, Json]] | BadRecord]:
    """Yield each row as its location (`line 12`, where it starts) and the cells that are not empty, by column."""
    names = columns(file, longest)
    reader = _reader(file) if names else None
    if reader is None:
        return
    next(reader)
    while True:
        try:
            line, cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRecord(f"line {reader.line}", f"invalid row: {error}")
            continue
        except ValueError as error:
            yield BadRecord(f"line {reader.line}", str(error))
            return
        if any(cells[len(names) :]):
            yield BadRecord(f"line {line}", f"expected {len(names)} cells as in the header, got {len(cells)}")
        elif any(cells):
            yield f"line {line}", {name: cell for name, cell in zip(names, cells, strict=False) if name and cell}


def records(file: Log) -> Iterator[tuple[str, Json] | BadRecord]:
    """Yield the records of a log that may be a table or JSON."""
    return rows(file) if columns(file) else file.records()


def first(file: Log) -> dict[str, Json]:
    """Return the first record for format detection. For a table, it has the names of the columns as keys."""
    return file.first_record or dict.fromkeys(columns(file), "")


def _reader(file: Log) -> DelimitedReader | None:
    delimiter = detect_delimiter([next(file.text(), "")])
    return DelimitedReader(file.text(), delimiter) if delimiter else None
