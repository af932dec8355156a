"""Excel workbooks (`.xlsx`), read row by row in bounded memory."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

_MAX_UNPACKED_BYTES = 1024 * 1024 * 1024
# A format that is applied to a whole column makes a million empty rows.
_MAX_BLANK_ROWS = 1_000
_CHUNK = 1024 * 1024
_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\b[^>]*?\bref=["']([A-Z0-9:]+)["']""")
_MAX_TAG_LENGTH = 200
# What openpyxl raises for damaged files. An XML error is a SyntaxError.
_OPENPYXL_ERRORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, SyntaxError, EOFError, OSError,
                    NotImplementedError, AssertionError, zipfile.BadZipFile, zlib.error)  # fmt: skip


class WorkbookError(ValueError):
    """A workbook that cannot be read; the message is one sentence."""


@contextmanager
def open_workbook(source: BinaryIO, *, formulas: bool = False, editable: bool = False) -> Iterator[Any]:
    """Open a workbook and close it at the end of the block.

    Args:
        formulas: Return formulas as they are written, not the values that were computed last.
        editable: Load the whole workbook, so that it can be changed and saved. Otherwise rows are streamed.

    Raises:
        WorkbookError: The file is damaged, or larger than 1 GB when it is unpacked.
    """
    import openpyxl

    _check_size(source)
    try:
        book = openpyxl.load_workbook(source, read_only=not editable, data_only=not formulas)
    except _OPENPYXL_ERRORS as error:
        raise WorkbookError(f"the workbook cannot be read: {error}") from None
    try:
        yield book
    finally:
        book.close()


def visible_sheets(book: Any) -> list[Any]:
    """Return the sheets that are not hidden, in order."""
    return [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]


def read_rows(sheet: Any) -> Iterator[tuple[int, Any]]:
    """Yield the cells of each row that is not blank, with its number, counted from 1. The end of a row may be missing.

    Reading ends after 1,000 blank rows. Raises WorkbookError if the sheet is damaged.
    """
    # The size that a file states may be too small, and cells beyond it would be lost.
    sheet.reset_dimensions()
    blank = 0
    try:
        for number, cells in enumerate(sheet.iter_rows(), 1):
            if any(cell.value is not None and str(cell.value).strip() for cell in cells):
                blank = 0
                yield number, cells
            elif (blank := blank + 1) > _MAX_BLANK_ROWS:
                return
    except _OPENPYXL_ERRORS as error:
        raise WorkbookError(f"the sheet '{sheet.title}' cannot be read: {error}") from None


def merged_ranges(sheet: Any) -> list[str]:
    """Return the ranges of merged cells, such as `B2:B4`, which openpyxl does not know of a streamed sheet."""
    found: list[str] = []
    rest = b""
    with sheet._get_source() as source:
        while chunk := source.read(_CHUNK):
            rest += chunk
            end = 0
            for match in _MERGED.finditer(rest):
                found.append(match[1].decode())
                end = match.end()
            # A tag may begin in this chunk and end in the next one.
            rest = rest[max(end, len(rest) - _MAX_TAG_LENGTH) :]
    return found


def _check_size(source: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            size = sum(item.file_size for item in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        raise WorkbookError("the workbook is damaged") from None
    if size > _MAX_UNPACKED_BYTES:
        raise WorkbookError("the workbook is larger than 1 GB when it is unpacked")
    source.seek(0)
