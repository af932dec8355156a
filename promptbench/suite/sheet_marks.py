"""A copy of a spreadsheet with each error at its cell: as a comment in a workbook, in a column of a CSV file."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from promptbench.core.diagnostics import Diagnostic, Diagnostics
from promptbench.tables.delimited import escape_formula, write_csv
from promptbench.tables.grid import MAX_BYTES, csv_delimiter, csv_reader, is_heading, read_grid
from promptbench.tables.workbook import WorkbookError
from promptbench.tables.writer import annotate_workbook
from promptbench.yaml.source import Source, SourceError, read_source

# The heading of the column in a CSV file. A column whose heading starts with "#" is not read.
ERRORS = "# errors"


def annotate_sheet(path: Path, shown: str, errors: Sequence[Diagnostic]) -> bytes | None:
    """Return the copy, or None if no error is at a cell or the file cannot be read."""
    try:
        if path.suffix.lower() == ".xlsx":
            return _workbook(path, shown, errors)
        return _csv(read_source(path, shown, max_bytes=MAX_BYTES), path, errors)
    except (WorkbookError, SourceError, csv.Error):
        return None


def _text(item: Diagnostic) -> str:
    return f"{item.message}; {item.hint}" if item.hint else item.message


def _workbook(path: Path, shown: str, errors: Sequence[Diagnostic]) -> bytes | None:
    by_cell: defaultdict[str, list[str]] = defaultdict(list)
    for item in errors:
        if item.location.path.startswith(f"{shown}!"):
            by_cell[item.location.path.rpartition("!")[2]].append(_text(item))
    return annotate_workbook(path, {name: "\n".join(texts) for name, texts in by_cell.items()}) if by_cell else None


def _csv(source: Source, path: Path, errors: Sequence[Diagnostic]) -> bytes:
    records = list(csv_reader(source))
    starts = [start for start, _ in records]
    headers = (cells for _, cells in records if any(is_heading(cell, "case") for cell in cells))
    header = next(headers, records[0][1])
    columns = {
        cell.location: index
        for row in read_grid(path, source.path, Diagnostics(), heading="case")
        # Empty cells share the location of their line: the first one counts.
        for index, cell in reversed(list(enumerate(row)))
    }
    by_record: defaultdict[int, list[str]] = defaultdict(list)
    for item in errors:
        index = columns.get(item.location)
        heading = f"{header[index]}: " if index is not None and index < len(header) and header[index] else ""
        by_record[bisect_right(starts, item.location.line) - 1].append(heading + _text(item))
    # A copy of a copy replaces the column.
    own = header.index(ERRORS) if ERRORS in header else max(len(cells) for _, cells in records)
    rows = []
    for number, (_, cells) in enumerate(records):
        text = ERRORS if cells is header else escape_formula("\n".join(by_record[number]))
        filled = cells + [""] * (own - len(cells))
        rows.append([*filled[:own], text, *filled[own + 1 :]])
    return write_csv(rows, delimiter=csv_delimiter(source)).encode("utf-8-sig")
