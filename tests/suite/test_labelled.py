from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from promptbench.core.errors import Diagnostics
from promptbench.suite.labelled import Labelled, read_labelled, sheet
from tests.tables.kit import workbook


def read(folder: Path, text: str, name: str = "labels.csv") -> tuple[list[Labelled], Diagnostics]:
    found = Diagnostics()
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return read_labelled(folder / name, name, found), found


def values(rows: list[Labelled]) -> list[tuple[str, bool, str | None, str | None]]:
    return [(row.case, row.passed, row.answer, row.model) for row in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_sheet_as_spreadsheets_write_it(tmp_path: Path, delimiter: str, end: str) -> None:
    lines = [
        ["Label", "case", "answer", "note", "model"],
        ["pass", "one", '"a,b;c\td"', "", ""],
        ["NO", "two", "", "x", "openai/m"],
    ]
    text = end.join(delimiter.join(cells) for cells in lines) + end
    rows, found = read(tmp_path, text)
    assert not len(found)
    assert values(rows) == [("one", True, "a,b;c\td", None), ("two", False, None, "openai/m")]


def test_a_workbook(tmp_path: Path) -> None:
    rows = [["case", "label", "answer"], ["one", "pass", "=1+1"], ["two", True, 7]]
    (tmp_path / "labels.xlsx").write_bytes(workbook(rows))
    found = Diagnostics()
    labelled = read_labelled(tmp_path / "labels.xlsx", "labels.xlsx", found)
    assert values(labelled) == [("one", True, None, None), ("two", True, "7", None)]
    assert [str(item.location) for item in found] == ["labels.xlsx!C2"]


def test_rows_without_a_label_are_left_out(tmp_path: Path) -> None:
    rows, found = read(tmp_path, "case,label\none,pass\n\ntwo,\nthree,  \nfour,fail\n")
    assert not len(found)
    assert [row.case for row in rows] == ["one", "four"]


def test_json_lines(tmp_path: Path) -> None:
    text = '{"case": "one", "answer": "a\\nb", "label": "pass"}\n\n{"case": 2, "label": false, "extra": [1]}\n'
    rows, found = read(tmp_path, text, "labels.jsonl")
    assert not len(found)
    assert values(rows) == [("one", True, "a\nb", None), ("2", False, None, None)]


@pytest.mark.parametrize(
    ("name", "text", "line", "said"),
    [
        ("a.csv", "name,label\n", 1, "column 'case' not found"),
        ("a.csv", "case,label\n,pass\n", 2, "the row has no case"),
        ("a.csv", 'case,label\n"one\n', 2, "invalid CSV"),
        ("a.jsonl", '{"case": "x", "label": "pass"}\n{"case": "y"}\n', 2, "column 'label' not found"),
        ("a.jsonl", "[1]\n", 1, "this line is not an object"),
        ("a.jsonl", "{\n", 1, "this line is not valid JSON"),
        ("a.jsonl", '{"case": ["x"], "label": "pass"}\n', 1, "'case' must be text"),
    ],
)
def test_mistakes_have_a_place(tmp_path: Path, name: str, text: str, line: int, said: str) -> None:
    _, found = read(tmp_path, text, name)
    [problem] = found.errors
    assert said in problem.message
    assert (problem.location.path, problem.location.line) == (name, line)


@pytest.mark.parametrize("name", ["no.csv", "no.xlsx", "no.jsonl"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    found = Diagnostics()
    assert read_labelled(tmp_path / name, name, found) == []
    assert len(found.errors) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1), min_size=1))
def test_every_answer_survives_the_sheet_and_none_is_a_formula(tmp_path: Path, answers: list[str]) -> None:
    text = sheet({"case": "one", "model": "m/m", "answer": answer, "label": "pass"} for answer in answers)
    cells = [row["answer"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in cells)
    rows, found = read(tmp_path, text)
    assert not len(found)
    assert [row.answer for row in rows] == answers


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["a.csv", "a.jsonl"]))
def test_no_file_raises(tmp_path: Path, text: str, name: str) -> None:
    rows, found = read(tmp_path, "case,label\n" * (name == "a.csv") + text, name)
    assert rows or len(found)
