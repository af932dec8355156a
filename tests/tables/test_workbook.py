from __future__ import annotations

import io
import tracemalloc
from typing import Any

import openpyxl
import pytest

from promptbench.tables import workbook as module
from promptbench.tables.workbook import WorkbookError, merged_ranges, open_workbook, read_rows, visible_sheets
from tests.tables.kit import SHEET, edited, workbook


def rows(content: bytes, **options: bool) -> list[tuple[int, list[Any]]]:
    with open_workbook(io.BytesIO(content), **options) as book:
        [sheet] = visible_sheets(book)
        return [(number, [cell.value for cell in cells]) for number, cells in read_rows(sheet)]


def test_rows_have_their_numbers_and_types() -> None:
    content = workbook([[], ["a", 1, True], [None, "  "], ["b", None, 0.5]])
    assert rows(content) == [(2, ["a", 1, True]), (4, ["b", None, 0.5])]


def test_formulas_or_their_values() -> None:
    content = edited(workbook([["=1+1"]]), b"<f>1+1</f><v", b"<f>1+1</f><v>2</v><v")
    assert rows(content, formulas=True) == [(1, ["=1+1"])]
    assert rows(content) == [(1, [2])]


def test_a_size_that_is_too_small_is_ignored() -> None:
    content = edited(workbook([["a", 1], ["b", 2]]), b'<dimension ref="A1:B2"', b'<dimension ref="A1"')
    assert rows(content) == [(1, ["a", 1]), (2, ["b", 2])]


def test_a_format_that_is_applied_to_a_whole_column() -> None:
    # LibreOffice writes the last row that a column can have.
    content = edited(workbook([["a", None, "c"]]), b"</row>", b'</row><row r="1048576"><c r="A1048576" s="0"/></row>')
    assert rows(content) == [(1, ["a", None, "c"])]


def test_reading_ends_after_many_blank_rows() -> None:
    content = edited(workbook([["a"]]), b"</row>", b'</row><row r="5000"><c r="A5000"><v>1</v></c></row>')
    assert rows(content) == [(1, ["a"])]


def test_hidden_sheets_are_not_visible() -> None:
    book = openpyxl.Workbook()
    book.create_sheet("hidden").sheet_state = "hidden"
    content = io.BytesIO()
    book.save(content)
    with open_workbook(content) as found:
        assert [sheet.title for sheet in visible_sheets(found)] == ["Sheet"]


@pytest.mark.parametrize("chunk", [1024 * 1024, 7])
def test_merged_ranges(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(module, "_CHUNK", chunk)
    content = workbook([["mergeCell ref='Z1:Z2'", "x"], ["y", "z"]], "A1:B1", "A2:A3")
    with open_workbook(io.BytesIO(content)) as book:
        assert sorted(merged_ranges(book.worksheets[0])) == ["A1:B1", "A2:A3"]


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for number in range(20_000):
        sheet.append([f"row {number} {'x' * 200}", number])
    content = io.BytesIO()
    book.save(content)
    with open_workbook(content) as found:
        list(merged_ranges(found.worksheets[0]))
        tracemalloc.start()
        assert sum(1 for _ in merged_ranges(found.worksheets[0])) == 0
        assert sum(1 for _ in zip(read_rows(found.worksheets[0]), range(2_000), strict=False)) == 2_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize("content", [b"", b"case,was", b"PK\x03\x04 broken"])
def test_a_file_that_is_not_a_workbook(content: bytes) -> None:
    with pytest.raises(WorkbookError, match="the workbook is damaged"):
        rows(content)


def test_a_damaged_sheet() -> None:
    content = edited(workbook([["a"], ["b"]]), b"</sheetData>", b"<row", SHEET)
    with pytest.raises(WorkbookError, match="the sheet 'Sheet' cannot be read"):
        rows(content)


def test_an_archive_that_expands_like_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(WorkbookError, match="larger than 1 GB"):
        rows(workbook([["a"]]))
