"""The cells of a table that people keep in a spreadsheet program: a CSV file, or the first sheet of a workbook."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any

from promptbench.core.canonical import lf
from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.protocols import MissingExtra
from promptbench.formats.source import Source, SourceError, read_source
from promptbench.formats.workbooks import BROKEN, MOST_BLANK_ROWS, merged_ranges, open_workbook

MOST_TITLES = 20
"""So many rows above the headings are looked through for them."""
MAX_BYTES = 64 * 1024 * 1024
_DELIMITED = re.compile("[,;\t]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Cell:
    """`content` is a text with LF, or what a workbook holds as a number or as true or false; "" where it is empty.

    `wrong` is why it cannot be taken as it is, and what to do about it.
    """

    content: str | int | float | bool
    location: Location
    wrong: tuple[str, str] | None = None

    @property
    def empty(self) -> bool:
        return isinstance(self.content, str) and not self.content.strip() and self.wrong is None


Row = list[Cell]


def read_grid(path: Path, shown: str, found: Diagnostics) -> Iterator[Row]:
    """The rows of a file that have something in them. What cannot be read goes to `found`. Raises OSError."""
    if path.suffix.lower() == ".xlsx":
        return _workbook(path, shown, found)
    return _csv(path, shown, found)


def is_case_heading(content: object) -> bool:
    """Whether a cell heads the names of the cases, which tells the row with the headings."""
    return isinstance(content, str) and content.strip().lower() == "case"


def as_cell(text: str) -> str:
    """A text as a CSV cell of which no spreadsheet program makes a formula."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def from_cell(text: str) -> str:
    """The text that `as_cell` was given."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def delimiter_of(head: str) -> str:
    """What stands between the cells of a CSV file, by its first line."""
    # Spreadsheets write semicolons where a comma is the decimal sign.
    return max(",;\t", key=head.count)


def _csv(path: Path, shown: str, found: Diagnostics) -> Iterator[Row]:
    try:
        source = read_source(path, shown, max_bytes=MAX_BYTES)
    except SourceError as error:
        found.extend([error.diagnostic])
        return
    line = 1
    try:
        for start, cells in csv_records(source):
            line = start + 1 + sum(cell.count("\n") for cell in cells)
            if any(cell.strip() for cell in cells):
                yield _csv_row(cells, source, start)
    except csv.Error as error:
        hint = "a text with a quotation mark, a comma or a line break in it stands in quotes, with inner ones doubled"
        found.add(Code.BAD_VALUE, f"this is no CSV: {error}", source.location(line, 1), hint=hint)


def csv_records(source: Source) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV file, each with the line on which it starts. Raises csv.Error."""
    reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=csv_delimiter(source), strict=True)
    line = 1
    for cells in reader:
        start, line = line, reader.line_num + 1
        yield start, cells


def csv_delimiter(source: Source) -> str:
    """What stands between the cells of a CSV file. Its first lines may be a title, which says nothing of it."""
    return delimiter_of(next((line for line in source.lines[:MOST_TITLES] if _DELIMITED.search(line)), ""))


def _csv_row(cells: list[str], source: Source, line: int) -> Row:
    """The cells of the row that starts on a line, each with the place of its text; the line's where it is empty."""
    row, behind = [], source.starts[line - 1]
    for cell in cells:
        # In the file a quotation mark in a cell is doubled. Up to the first one, the text is as it stands.
        begin = cell.partition('"')[0].partition("\n")[0]
        at = source.text.find(begin, behind) if begin else -1
        behind = at + len(begin) if begin else behind
        location = (
            source.location_at(at, len(begin)) if begin else source.location(line, 1, len(source.lines[line - 1]))
        )
        row.append(Cell(from_cell(cell), location))
    return row


def _workbook(path: Path, shown: str, found: Diagnostics) -> Iterator[Row]:
    with path.open("rb") as source:
        try:
            book = open_workbook(source, formulas=True)
        except MissingExtra as error:
            found.add(Code.MISSING_EXTRA, f"{shown}: {error}", Location(shown))
            return
        except ValueError as error:
            found.add(Code.UNREADABLE_FILE, str(error), Location(shown), hint="save it as .xlsx or .csv once more")
            return
        try:
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            _tell_others(sheets, shown, found)
            for sheet in sheets[:1]:
                yield from _sheet(sheet, shown)
        except BROKEN as error:
            found.add(Code.UNREADABLE_FILE, f"the sheet cannot be read: {error}", Location(shown))
        finally:
            book.close()


def _tell_others(sheets: Sequence[Any], shown: str, found: Diagnostics) -> None:
    if not sheets:
        found.add(Code.EMPTY_FILE, "the workbook has no sheet to be seen", Location(shown))
    for sheet in sheets[1:]:
        first = islice(sheet.iter_rows(values_only=True), MOST_TITLES)
        if any(is_case_heading(content) for row in first for content in row):
            message = f"the sheet '{sheet.title}' has cases too, and only the first sheet is read"
            hint = "put them below those of the first one, or into a workbook of their own"
            found.add(Code.BAD_VALUE, message, Location(shown), hint=hint, severity=Severity.WARNING)


def _sheet(sheet: Any, shown: str) -> Iterator[Row]:
    from openpyxl.utils import get_column_letter

    # What a file says of its own size may be wrong, and cells beyond it would be lost.
    sheet.reset_dimensions()
    merged = {area.partition(":")[0]: area for area in merged_ranges(sheet)}
    blank = width = 0
    for number, cells in enumerate(sheet.iter_rows(), 1):
        row = [
            _cell(cell, Location(f"{shown}!{name}"), merged.get(name, ""))
            for name, cell in ((f"{get_column_letter(column)}{number}", cell) for column, cell in enumerate(cells, 1))
        ]
        if all(cell.empty for cell in row):
            blank += 1
            if blank > MOST_BLANK_ROWS:
                return
            continue
        blank, width = 0, max(width, len(row))
        # Empty cells at the end of a row are not in the file, and have a place all the same.
        missing = (f"{get_column_letter(column)}{number}" for column in range(len(row) + 1, width + 1))
        yield row + [Cell("", Location(f"{shown}!{name}")) for name in missing]


def _cell(cell: Any, location: Location, merged: str) -> Cell:
    value = cell.value
    if cell.data_type == "f":
        hint = "write the value itself: copy the cell and paste it as a value"
        return Cell("", location, ("this cell holds a formula", hint))
    if cell.data_type == "e":
        return Cell("", location, (f"this cell shows an error: {value}", "write the value itself"))
    wrong = None
    if merged and value not in (None, ""):
        hint = "unmerge them, and write the text into each cell that it is for"
        wrong = (f"this cell is merged with others ({merged})", hint)
    if isinstance(value, datetime):
        value = value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    elif isinstance(value, date | time):
        value = value.isoformat()
    if value is None or isinstance(value, str):
        return Cell(lf(value or ""), location, wrong)
    return Cell(value if isinstance(value, int | float) else str(value), location, wrong)
