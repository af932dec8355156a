"""Excel workbooks (`.xlsx`), opened with care. openpyxl reads them; it is an extra."""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import Any, BinaryIO

from promptbench.core.protocols import MissingExtra

_MOST_BYTES = 1024 * 1024 * 1024
MOST_BLANK_ROWS = 1_000
"""So many empty rows in a row end a sheet: a format applied to whole columns makes a million of them."""
BROKEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, SyntaxError, EOFError, OSError,
          NotImplementedError, AssertionError, zipfile.BadZipFile, zlib.error)  # fmt: skip
"""What openpyxl lets through of a workbook that is none; an error of XML is a SyntaxError."""


def open_workbook(source: BinaryIO, *, formulas: bool = False, whole: bool = False) -> Any:
    """The workbook for reading a row at a time; with `formulas` as they are written, else as they were computed.

    A `whole` one is in memory and can be changed.

    Raises MissingExtra without openpyxl, and ValueError for a workbook that it cannot read.
    """
    try:
        import openpyxl
    except ImportError:
        raise MissingExtra(
            "it is an Excel workbook, which needs openpyxl: pip install 'promptbench-gate[sheets]', or save it as CSV"
        ) from None
    _bounded(source)
    try:
        return openpyxl.load_workbook(source, read_only=not whole, data_only=not formulas)
    except BROKEN as error:
        raise ValueError(f"the workbook cannot be read: {error}") from None


_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\b[^>]*?\bref=["']([A-Z0-9:]+)["']""")
_CHUNK = 1024 * 1024


def merged_ranges(sheet: Any) -> list[str]:
    """The ranges of cells that are merged, such as `B2:B4`; a sheet that is read row by row does not know them."""
    with sheet._get_source() as source:
        rest = b""
        # They stand behind the rows, which are most of the file.
        while chunk := source.read(_CHUNK):
            rest += chunk
            _, end, behind = rest.partition(b"sheetData>")
            while end and (more := source.read(_CHUNK)):
                behind += more
            if end:
                return [found.decode() for found in _MERGED.findall(behind)]
            rest = rest[-len(b"sheetData>") :]
    return []


def _bounded(source: BinaryIO) -> None:
    """Raises ValueError for an archive that expands like a bomb."""
    try:
        with zipfile.ZipFile(source) as archive:
            size = sum(item.file_size for item in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        raise ValueError("the workbook is damaged") from None
    if size > _MOST_BYTES:
        raise ValueError("the workbook is larger than 1 GB when it is unpacked")
    source.seek(0)
