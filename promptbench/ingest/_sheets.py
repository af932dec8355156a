"""Logs in Excel workbooks (`.xlsx`): each visible sheet has a header, and a call on each row."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any, BinaryIO

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json
from promptbench.ingest._fields import as_iso_time
from promptbench.tables.workbook import WorkbookError, open_workbook, read_rows, visible_sheets

_ZIP_MAGIC = b"PK\x03\x04"

SheetRecords = tuple[tuple[str, ...], Iterator[tuple[str, dict[str, Json]] | BadRecord]]


def is_workbook(file: Log) -> bool:
    """Return whether the file is a ZIP archive with a workbook in it."""
    if not file.head.startswith(_ZIP_MAGIC):
        return False
    try:
        with seekable(file) as source, zipfile.ZipFile(source) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def read_sheets(file: Log) -> Iterator[SheetRecords]:
    """Yield the columns and the records of each visible sheet, whose records must be read before the next sheet.

    A record is its location (`Calls, row 3`) and the cells that are not empty, by column. Raises WorkbookError.
    """
    with seekable(file) as source, open_workbook(source) as book:
        for sheet in visible_sheets(book):
            rows = read_rows(sheet)
            _, header = next(rows, (0, ()))
            columns = tuple("" if cell.value is None else str(_as_json(cell.value)).strip() for cell in header)
            yield columns, _records(sheet.title, columns, rows)


def _records(
    title: str, columns: tuple[str, ...], rows: Iterator[tuple[int, Any]]
) -> Iterator[tuple[str, dict[str, Json]] | BadRecord]:
    try:
        for number, cells in rows:
            named = zip(columns, cells, strict=False)
            values = {name: _as_json(cell.value) for name, cell in named if name and cell.value not in (None, "")}
            if values:
                yield f"{title}, row {number}", values
    except WorkbookError as error:
        yield BadRecord(title, str(error))


def _as_json(value: Any) -> Json:
    if isinstance(value, datetime):
        return as_iso_time(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool) else str(value)


@contextmanager
def seekable(file: Log) -> Iterator[BinaryIO]:
    """Open a ZIP archive, whose list of contents is at its end.

    One that is compressed or from a pipe is read into memory: a copy on the disk would not be redacted.
    """
    with file.open() as source:
        if file.path is not None:
            yield source
            return
        yield io.BytesIO(source.read())
