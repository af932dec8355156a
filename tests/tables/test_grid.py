from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest

from promptbench.core.errors import Code, Diagnostics, Severity
from promptbench.tables.grid import read_grid
from tests.tables.kit import edited, workbook

Read = tuple[list[list[tuple[object, str]]], list[tuple[Code, str]]]


def read(path: Path) -> Read:
    found = Diagnostics()
    rows = [
        [(cell.content, str(cell.location)) for cell in row]
        for row in read_grid(path, path.name, found, heading="case")
    ]
    return rows, [(item.code, str(item.location)) for item in found]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_file(tmp_path: Path, encoding: str, delimiter: str) -> None:
    lines = ["Cases | of the bot", "", delimiter.join(["case", "note"]), delimiter.join(['"é ""x"""', "'=1"])]
    (tmp_path / "a.csv").write_bytes("\r\n".join(lines).encode(encoding))
    rows, found = read(tmp_path / "a.csv")
    assert found == []
    assert rows[1:] == [
        [("case", "a.csv:3:1"), ("note", "a.csv:3:6")],
        [('é "x"', "a.csv:4:2"), ("=1", "a.csv:4:11")],
    ]


def test_a_malformed_csv_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('case\na\n"b', encoding="utf-8")
    rows, found = read(tmp_path / "a.csv")
    assert (len(rows), found) == (2, [(Code.BAD_VALUE, "a.csv:3:1")])


def test_values_of_a_workbook(tmp_path: Path) -> None:
    row = ["a\r\nb", 1, 0.5, True, date(2026, 3, 1), datetime(2026, 3, 1, 12, 30), time(12, 30), None]
    (tmp_path / "a.xlsx").write_bytes(workbook([["case"] * 8, [], row]))
    rows, found = read(tmp_path / "a.xlsx")
    assert found == []
    assert [content for content, _ in rows[1]] == [
        "a\nb", 1, 0.5, True, "2026-03-01", "2026-03-01 12:30:00", "12:30:00", "",
    ]  # fmt: skip
    assert [location for _, location in rows[1]] == [f"a.xlsx!{column}3" for column in "ABCDEFGH"]


def test_cells_with_problems(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(workbook([["=1+1", "#N/A", "x", "y"]], "C1:C2"))
    [row] = read_grid(tmp_path / "a.xlsx", "a.xlsx", Diagnostics(), heading="case")
    assert [cell.problem and cell.problem[0] for cell in row] == [
        "this cell contains a formula",
        "this cell contains an error: #N/A",
        "this cell is merged with others (C1:C2)",
        None,
    ]


def test_another_sheet_with_the_heading_is_a_warning(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["case"])
    book.create_sheet("notes").append(["anything"])
    book.create_sheet("more").append(["Case "])
    hidden = book.create_sheet("hidden")
    hidden.append(["case"])
    hidden.sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    found = Diagnostics()
    assert len(list(read_grid(tmp_path / "a.xlsx", "a.xlsx", found, heading="case"))) == 1
    assert [(item.severity, "'more'" in item.message) for item in found] == [(Severity.WARNING, True)]


def test_a_workbook_without_a_visible_sheet(tmp_path: Path) -> None:
    content = workbook([["case"]])
    hidden = edited(content, b'state="visible"', b'state="hidden"', "xl/workbook.xml")
    (tmp_path / "a.xlsx").write_bytes(hidden)
    assert read(tmp_path / "a.xlsx") == ([], [(Code.EMPTY_FILE, "a.xlsx")])


def test_a_damaged_workbook(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04")
    assert read(tmp_path / "a.xlsx") == ([], [(Code.UNREADABLE_FILE, "a.xlsx")])


def test_a_missing_workbook(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "a.xlsx")
