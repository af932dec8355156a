"""A copy of a spreadsheet with each mistake at its cell: as a comment of a workbook, as a column of a CSV file."""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from promptbench.core.diagnostics import Diagnostic, Diagnostics
from promptbench.formats.source import Source, SourceError, read_source
from promptbench.formats.workbook_writer import marked
from promptbench.formats.workbooks import BROKEN
from promptbench.suite.grids import MAX_BYTES, as_cell, csv_delimiter, csv_records, is_case_heading, read_grid

MISTAKES = "# mistakes"
"""The heading of the column in a CSV file; like any that starts so, it is not read."""


def with_mistakes(path: Path, shown: str, mistakes: Sequence[Diagnostic]) -> bytes | None:
    """The copy; None where it cannot be made, or no mistake is at a cell."""
    if path.suffix.lower() == ".xlsx":
        by_cell: dict[str, list[str]] = {}
        for item in mistakes:
            if item.location.path.startswith(f"{shown}!"):
                by_cell.setdefault(item.location.path.rpartition("!")[2], []).append(_said(item))
        try:
            return marked(path, {name: "\n".join(said) for name, said in by_cell.items()}) if by_cell else None
        except BROKEN:
            return None
    try:
        return _csv(read_source(path, shown, max_bytes=MAX_BYTES), path, mistakes)
    except (SourceError, csv.Error):
        return None


def _said(item: Diagnostic) -> str:
    return f"{item.message}; {item.hint}" if item.hint else item.message


def _csv(source: Source, path: Path, mistakes: Sequence[Diagnostic]) -> bytes:
    records = list(csv_records(source))
    starts = [start for start, _ in records]
    header = next((cells for _, cells in records if any(map(is_case_heading, cells))), records[0][1])
    columns = {
        cell.location: index
        for row in read_grid(path, source.path, Diagnostics())
        for index, cell in reversed(list(enumerate(row)))
    }
    said: dict[int, list[str]] = {}
    for item in mistakes:
        index = columns.get(item.location)
        heading = f"{header[index]}: " if index is not None and index < len(header) and header[index] else ""
        said.setdefault(bisect_right(starts, item.location.line) - 1, []).append(heading + _said(item))
    # A copy of a copy gets the column anew.
    own = header.index(MISTAKES) if MISTAKES in header else max(len(cells) for _, cells in records)
    target = io.StringIO()
    writer = csv.writer(target, delimiter=csv_delimiter(source), lineterminator="\r\n")
    for number, (_, cells) in enumerate(records):
        text = MISTAKES if cells is header else as_cell("\n".join(said.get(number, ())))
        filled = cells + [""] * (own - len(cells))
        writer.writerow([*filled[:own], text, *filled[own + 1 :]])
    return target.getvalue().encode("utf-8-sig")
