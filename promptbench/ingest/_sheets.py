"""Excel workbooks (`.xlsx`), a row at a time. openpyxl reads them; it is an extra."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any, BinaryIO

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json
from promptbench.formats.workbooks import BROKEN, MOST_BLANK_ROWS, open_workbook
from promptbench.ingest._fields import as_iso_time

_ZIP = b"PK\x03\x04"
_IN_MEMORY = 16 * 1024 * 1024

Sheet = tuple[str, tuple[str, ...], Iterator[tuple[str, dict[str, Json]] | BadRecord]]


def is_workbook(file: Log) -> bool:
    """Whether the file is a ZIP archive with a workbook in it."""
    return file.head.startswith(_ZIP) and "xl/workbook.xml" in names(file)


def names(file: Log) -> frozenset[str]:
    """The names of what is in a ZIP archive; empty when it is none, or a damaged one."""
    if not file.head.startswith(_ZIP):
        return frozenset()
    try:
        with _seekable(file) as source, zipfile.ZipFile(source) as archive:
            return frozenset(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return frozenset()


def sheets(file: Log) -> Iterator[Sheet]:
    """Name, columns and rows of each visible sheet; the rows must be read before the next sheet is asked for.

    Raises MissingExtra without openpyxl, and ValueError for a workbook that it cannot read.
    """
    with _seekable(file) as source:
        book = open_workbook(source)
        try:
            for sheet in book.worksheets:
                if sheet.sheet_state == "visible":
                    rows = _rows(sheet)
                    yield sheet.title, next(rows, ("", ()))[1], _records(sheet.title, sheet)
        finally:
            book.close()


def _records(title: str, sheet: Any) -> Iterator[tuple[str, dict[str, Json]] | BadRecord]:
    rows = _rows(sheet)
    try:
        _, columns = next(rows, ("", ()))
        for place, cells in rows:
            if any(cell is not None for cell in cells[len(columns) :]):
                yield BadRecord(f"{title}, {place}", f"it has {len(cells)} cells, and the header has {len(columns)}")
                continue
            found = {name: cell for name, cell in zip(columns, cells, strict=False) if name and cell not in (None, "")}
            if found:
                yield f"{title}, {place}", found
    except BROKEN as error:
        yield BadRecord(title, f"the sheet cannot be read any further: {error}")


def _rows(sheet: Any) -> Iterator[tuple[str, tuple[Json, ...]]]:
    """Each row with a cell that holds something; the first is the header, whose cells are texts."""
    header = True
    blank = 0
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        row = tuple(_plain(cell) for cell in cells)
        if all(cell in (None, "") for cell in row):
            blank += 1
            if blank > MOST_BLANK_ROWS:
                return
            continue
        blank = 0
        if header:
            header = False
            row = tuple("" if cell is None else str(cell).strip() for cell in row)
        yield f"row {number}", row


def _plain(cell: Any) -> Json:
    if isinstance(cell, datetime):
        return as_iso_time(cell)
    if isinstance(cell, date | time):
        return cell.isoformat()
    return cell if isinstance(cell, str | int | float | bool) else None if cell is None else str(cell)


@contextmanager
def _seekable(file: Log) -> Iterator[BinaryIO]:
    """A ZIP archive has its list of contents at its end; what cannot be sought in is copied aside."""
    with file.open() as source:
        if file.path is not None:
            yield source
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
            shutil.copyfileobj(source, copy)
            copy.seek(0)
            yield copy  # type: ignore[misc]
