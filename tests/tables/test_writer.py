from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment

from promptbench.tables.workbook import WorkbookError
from promptbench.tables.writer import Sheet, annotate_workbook, write_workbook
from tests.tables.kit import workbook


def loaded(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def comments(content: bytes) -> dict[str, str]:
    rows = loaded(content).worksheets[0].iter_rows()
    return {cell.coordinate: cell.comment.text for row in rows for cell in row if cell.comment}


def test_sheets_with_text_and_data() -> None:
    book = loaded(write_workbook([Sheet("one", ["a", "b"], [["=1+1", 5], ["", True]]), Sheet("two", ["c"], [])]))
    assert book.sheetnames == ["one", "two"]
    assert list(book["one"].values) == [("a", "b"), ("=1+1", 5), (None, True)]
    assert (book["one"]["A2"].data_type, book["one"]["A2"].number_format) == ("s", "@")


def test_choices_and_notes() -> None:
    book = loaded(write_workbook([Sheet("one", ["a", "b"], [["x", "y"]], {1: ["p", "q"]}, {0: "About a."})]))
    [rule] = book["one"].data_validations.dataValidation
    assert (str(rule.sqref), rule.formula1, rule.errorStyle) == ("B2:B1002", "lists!$A$1:$A$2", "warning")
    assert (book["lists"].sheet_state, list(book["lists"].values)) == ("hidden", [("p",), ("q",)])
    assert book["one"]["A1"].comment.text == "About a."


def test_comments_replace_those_of_an_earlier_copy(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(workbook([["a", "b"], ["c", "d"]]))
    path.write_bytes(annotate_workbook(path, {"A1": "first", "B1": "second"}))
    assert comments(path.read_bytes()) == {"A1": "first", "B1": "second"}
    copy = annotate_workbook(path, {"B2": "third"})
    assert comments(copy) == {"B2": "third"}
    assert loaded(copy).worksheets[0]["A1"].fill.fill_type is None


def test_comments_of_other_people_stay(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    book = openpyxl.Workbook()
    book.active["A1"] = "a"
    book.active["A1"].comment = Comment("mine", "Somebody")
    book.save(path)
    path.write_bytes(annotate_workbook(path, {"A1": "wrong"}))
    assert comments(path.read_bytes()) == {"A1": "wrong\n----\nmine"}
    assert comments(annotate_workbook(path, {})) == {"A1": "mine"}


def test_the_first_of_merged_cells_gets_the_comment(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(workbook([["a", "b"]], "A1:B1"))
    assert comments(annotate_workbook(path, {"B1": "one", "A1": "two"})) == {"A1": "one\ntwo"}


def test_a_damaged_workbook(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"PK")
    with pytest.raises(WorkbookError):
        annotate_workbook(path, {})
