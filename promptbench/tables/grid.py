"""The cells of a CSV file or of a workbook's first sheet, each with its location."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any

from promptbench.core.canonical import lf
from promptbench.core.errors import Code, Diagnostics, Location, Severity
from promptbench.tables.delimited import DelimitedReader, detect_delimiter, unescape_formula
from promptbench.tables.workbook import WorkbookError, merged_ranges, open_workbook, read_rows, visible_sheets
from promptbench.yaml.source import Source, SourceError, read_source

MAX_BYTES = 64 * 1024 * 1024
# A title may be above the header.
MAX_TITLE_ROWS = 20


@dataclass(frozen=True, slots=True)
class GridCell:
    """`content` is text with LF, or a number or bool of a workbook; "" if the cell is empty.

    `problem` is why the cell cannot be used, with a hint.
    """

    content: str | int | float | bool
    location: Location
    problem: tuple[str, str] | None = None

    @property
    def empty(self) -> bool:
        return isinstance(self.content, str) and not self.content.strip() and self.problem is None


GridRow = list[GridCell]


def read_grid(path: Path, shown: str, diagnostics: Diagnostics, heading: str) -> Iterator[GridRow]:
    """Yield the rows of a `.xlsx` file or else of a CSV file that are not blank.

    Args:
        shown: The file's name in locations: `shown:3:14` for CSV, `shown!C2` for a workbook.
        diagnostics: Gets an error if the file or the rest of it cannot be read, and a warning for another sheet that
            has the `heading`.
        heading: The heading by which a header is recognised: see `is_heading`.

    Raises:
        OSError: The file cannot be opened.
    """
    if path.suffix.lower() == ".xlsx":
        return _workbook_rows(path, shown, diagnostics, heading)
    return _csv_rows(path, shown, diagnostics)


def is_heading(content: object, heading: str) -> bool:
    """Return whether a cell is a heading, whatever its letter case."""
    return isinstance(content, str) and content.strip().lower() == heading


def csv_reader(source: Source) -> DelimitedReader:
    """Return a strict reader of a CSV file. Its first lines may be a title, which has no delimiter."""
    return DelimitedReader(io.StringIO(source.text, newline=""), csv_delimiter(source), strict=True)


def csv_delimiter(source: Source) -> str:
    """Return the delimiter of a CSV file."""
    # No "|", which people write in titles, and no spreadsheet program saves.
    return detect_delimiter(source.lines[:MAX_TITLE_ROWS], ",;\t") or ","


def _csv_rows(path: Path, shown: str, diagnostics: Diagnostics) -> Iterator[GridRow]:
    try:
        source = read_source(path, shown, max_bytes=MAX_BYTES)
    except SourceError as error:
        diagnostics.extend([error.diagnostic])
        return
    reader = csv_reader(source)
    try:
        for line, cells in reader:
            if any(cell.strip() for cell in cells):
                yield _csv_row(cells, source, line)
    except csv.Error as error:
        diagnostics.add(
            Code.BAD_VALUE,
            f"invalid CSV: {error}",
            source.location(reader.line, 1),
            hint="quote a text with a quotation mark, comma or line break, and double the inner quotation marks",
        )


def _csv_row(cells: list[str], source: Source, line: int) -> GridRow:
    """Return the cells of the row that starts on a line, each with the location of its text, or the line if empty."""
    row, offset = [], source.starts[line - 1]
    for cell in cells:
        # Quotation marks are doubled in the file. Up to the first one, the text is the same there.
        begin = cell.partition('"')[0].partition("\n")[0]
        at = source.text.find(begin, offset) if begin else -1
        offset = at + len(begin) if begin else offset
        location = (
            source.location_at(at, len(begin)) if begin else source.location(line, 1, len(source.lines[line - 1]))
        )
        row.append(GridCell(unescape_formula(cell), location))
    return row


def _workbook_rows(path: Path, shown: str, diagnostics: Diagnostics, heading: str) -> Iterator[GridRow]:
    try:
        with path.open("rb") as source, open_workbook(source, formulas=True) as book:
            sheets = visible_sheets(book)
            if not sheets:
                diagnostics.add(Code.EMPTY_FILE, "the workbook has no visible sheet", Location(shown))
                return
            _warn_about_other_sheets(sheets[1:], shown, diagnostics, heading)
            yield from _sheet_rows(sheets[0], shown)
    except WorkbookError as error:
        diagnostics.add(Code.UNREADABLE_FILE, str(error), Location(shown), hint="save it again as .xlsx or .csv")


def _warn_about_other_sheets(sheets: Sequence[Any], shown: str, diagnostics: Diagnostics, heading: str) -> None:
    for sheet in sheets:
        rows = islice(read_rows(sheet), MAX_TITLE_ROWS)
        if any(is_heading(cell.value, heading) for _, cells in rows for cell in cells):
            diagnostics.add(
                Code.BAD_VALUE,
                f"the sheet '{sheet.title}' also has a column '{heading}', but only the first sheet is read",
                Location(shown),
                hint="move its rows to the first sheet, or to a workbook of their own",
                severity=Severity.WARNING,
            )


def _sheet_rows(sheet: Any, shown: str) -> Iterator[GridRow]:
    from openpyxl.utils import get_column_letter

    merged = {area.partition(":")[0]: area for area in merged_ranges(sheet)}
    width = 0
    for number, cells in read_rows(sheet):
        width = max(width, len(cells))
        # Empty cells at the end of a row are not in the file, but diagnostics need their locations.
        names = [f"{get_column_letter(column)}{number}" for column in range(1, width + 1)]
        row = [
            _cell(cell, Location(f"{shown}!{name}"), merged.get(name)) for name, cell in zip(names, cells, strict=False)
        ]
        yield row + [GridCell("", Location(f"{shown}!{name}")) for name in names[len(cells) :]]


def _cell(cell: Any, location: Location, merged: str | None) -> GridCell:
    value = cell.value
    if cell.data_type == "f":
        hint = "write the value itself: copy the cell and paste it as a value"
        return GridCell("", location, ("this cell contains a formula", hint))
    if cell.data_type == "e":
        return GridCell("", location, (f"this cell contains an error: {value}", "write the value itself"))
    problem = None
    if merged and value not in (None, ""):
        hint = "unmerge the cells, and write the text into each cell that it is for"
        problem = (f"this cell is merged with others ({merged})", hint)
    if isinstance(value, datetime):
        value = value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    elif isinstance(value, date | time):
        value = value.isoformat()
    if value is None or isinstance(value, str):
        return GridCell(lf(value or ""), location, problem)
    return GridCell(value if isinstance(value, int | float) else str(value), location, problem)
