"""Cases in a spreadsheet, as CSV and as a workbook."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from promptbench.core.errors import Code, Severity
from promptbench.suite.models import Case, Suite
from tests.helpers.suites import HEAD, loaded

Cells = Sequence[Sequence[Any]]


def write(folder: Path, rows: Cells, kind: str) -> None:
    if kind == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        (folder / "more.csv").write_text("\ufeff" + text.getvalue(), encoding="utf-8", newline="")
        return
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    book.save(folder / "more.xlsx")


def read(folder: Path, rows: Cells, kind: str = "csv") -> tuple[Suite, list[Case], list[tuple[Code, str, str]]]:
    write(folder, rows, kind)
    suite, found = loaded(folder, HEAD + f"cases: more.{kind}\n")
    assert suite is not None
    cases = [suite.cases[name] for name in suite.cases.numbers]
    return suite, cases, [(item.code, str(item.location), item.message) for item in found]


ROWS = [
    ["case", "vars.message", "vars.order", "expect.team", "expect.urgent", "tags", "check", "value", "# mine"],
    [
        "charged twice",
        "I was charged twice\nfor March",
        12,
        "billing",
        True,
        "critical, captured",
        "contains",
        "x",
        "?",
    ],
    ["", "", "", "", "", "", "", "", ""],
    ["late", "-5 €, =SUM(A1)", "010", "null", "no", "", "json", "", ""],
]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_row_is_a_case(tmp_path: Path, kind: str) -> None:
    rows = [[str(cell).lower() if isinstance(cell, bool) else cell for cell in row] for row in ROWS]
    _, (first, late), found = read(tmp_path, rows if kind == "csv" else ROWS, kind)
    assert found == []
    assert first.name == "charged twice"
    assert first.variables == {"message": "I was charged twice\nfor March", "order": 12}
    assert first.expect == {"team": "billing", "urgent": True}
    assert (first.tags, first.critical) == (("critical", "captured"), True)
    assert [(check.name, check.argument) for check in first.checks] == [("contains", "x")]
    assert late.variables == {"message": "-5 €, =SUM(A1)", "order": "010"}
    assert late.expect == {"team": None, "urgent": "no"}
    assert [(check.name, check.argument) for check in late.checks] == [("json", None)]


@pytest.mark.parametrize(
    ("heading", "cell", "value"),
    [
        ("vars.x", '"12"', "12"),
        ("vars.x", "12", 12),
        ("vars.x", "1.10", 1.1),
        ("vars.x", "12:30", "12:30"),
        ("vars.x", "yes", "yes"),
        ("vars.x", "true", True),
        ("vars.x", '""', ""),
        ("vars.x", '"quoted" and more', '"quoted" and more'),
        ("vars.x", '{"a": [1]}', {"a": [1]}),
        ("vars.x", "[urgent] call me", "[urgent] call me"),
        ("vars.x", "TRUE", True),
        ("vars.x", '"TRUE"', "TRUE"),
        ("vars.x", '"two\nlines "', "two\nlines "),
        ("vars.x", "  two words ", "two words"),
        ("vars.a.b", "x", "x"),
        ("expect", "plain text", "plain text"),
        ("expect", '{"team": "billing"}', {"team": "billing"}),
        ("expect", '"[urgent]"', "[urgent]"),
        ("vars", '{"x y": 1}', {"x y": 1}),
        ("Should Be", '{"team": "billing"}', {"team": "billing"}),
        ("was", '{"team": "billing",}', '{"team": "billing",}'),
        ("was", "12", "12"),
        ("was", '""', ""),
        ("threshold", "80%", 0.8),
        ("tags", "[a, 'b, c']", ("a", "b, c")),
    ],
)
def test_a_cell_means_what_it_would_mean_in_the_suite(tmp_path: Path, heading: str, cell: str, value: Any) -> None:
    _, [case], found = read(tmp_path, [["Case", heading], ["one", cell]])
    assert found == []
    root, _, name = heading.partition(".")
    field = {"vars": "variables", "Should Be": "should_be"}.get(root, root)
    got = getattr(case, field)
    assert (got[name] if name else got) == value


def test_checks_and_messages_as_yaml_and_checks_in_pairs(tmp_path: Path) -> None:
    rows = [
        ["case", "checks", "check", "value", "check 2", "value 2", "messages", "quarantine.owner", "quarantine.reason"],
        [
            "one",
            "- contains: refund\n  weight: 3",
            "not contains",
            "sorry",
            "json",
            "",
            "[{role: user, content: Hi}, {role: assistant, content: Hello}]",
            "Support",
            "moody",
        ],
    ]
    rows[0].append("quarantine.review by")
    rows[1].append("2026-12-31")
    _, [case], found = read(tmp_path, rows)
    assert found == []
    assert [(check.name, check.argument, check.weight) for check in case.checks] == [
        ("contains", "refund", 3.0),
        ("not contains", "sorry", 1.0),
        ("json", None, 1.0),
    ]
    assert [message.content for message in case.messages] == ["Hi", "Hello"]
    assert case.quarantine is not None
    assert case.quarantine.review_by == "2026-12-31"
    assert str(case.checks[1].where.location(key=True)) == "more.csv:3:14"


@pytest.mark.parametrize(
    ("rows", "code", "csv_place", "cell", "said"),
    [
        ([["case", "vras.x"], ["a", "1"]], Code.UNKNOWN_KEY, "1:6", "B1", "unknown heading 'vras.x'"),
        ([["name", "expect"], ["a", "1"]], Code.MISSING_KEY, "1:1", "A1", "column 'case' not found"),
        ([["case", "was", "was"], ["a", "1", "2"]], Code.DUPLICATE_KEY, "1:10", "C1", "duplicate column 'was'"),
        ([["case", "value"], ["a", "1"]], Code.MISSING_KEY, "1:6", "B1", "needs a column 'check'"),
        ([["case", "check", "value"], ["a", "", "1"]], Code.MISSING_KEY, "2:4", "C2", "has no check"),
        ([["case", "expect"], ["a", "{team: x}"]], Code.BAD_VALUE, "2:3", "B2", "invalid JSON"),
        ([["case", "vars"], ["a", "{team: x}"]], Code.BAD_VALUE, "2:3", "B2", "invalid JSON"),
        ([["case", "vars"], ["a", "x"]], Code.WRONG_TYPE, "2:3", "B2", "'vars' must be"),
        (
            [["case", "vars", "vars.x"], ["a", "{}", 1]],
            Code.DUPLICATE_KEY,
            "2:6",
            "C2",
            "set both in one cell and by field",
        ),
        ([["case", "checks"], ["a", "{contains: x"]], Code.YAML_SYNTAX, "2:3", "B2", "not closed"),
        ([["case", "threshold"], ["a", "high"]], Code.WRONG_TYPE, "2:3", "B2", "'threshold' must be a number"),
        ([["case", "messages"], ["a", "[{role: boss, content: x}]"]], Code.BAD_VALUE, "2:4", "B2", "'role'"),
        (
            [["case", "expect", "expect.x"], ["a", "1", "2"]],
            Code.DUPLICATE_KEY,
            "2:5",
            "C2",
            "set both in one cell and by field",
        ),
        ([["case"], ["a", "1"]], Code.UNKNOWN_KEY, "2:3", "B2", "this cell has no heading"),
        ([["case", "tags"], ["", "x"]], Code.MISSING_KEY, "2:1", "A2", "'case:' is missing"),
        ([["case", "was"], ["a", "1"], ["a", "2"]], Code.DUPLICATE_NAME, "3:1", "A3", "'a'"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_error_names_the_cell(
    tmp_path: Path, rows: Cells, code: Code, csv_place: str, cell: str, said: str, kind: str
) -> None:
    _, _, found = read(tmp_path, rows, kind)
    location = f"more.xlsx!{cell}" if kind == "xlsx" else f"more.csv:{csv_place}"
    assert [(item[0], item[1]) for item in found if said in item[2]] == [(code, location)], found


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_headings_below_a_title(tmp_path: Path, kind: str) -> None:
    rows = [["Cases of the bot, by Ann", ""], ["", ""], ["# mine", "Case ", "vars.x"], ["?", "one", "1"]]
    _, [case], found = read(tmp_path, rows, kind)
    assert found == []
    assert (case.name, case.variables) == ("one", {"x": 1})


def test_merged_cells_are_errors_in_columns_that_are_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [["Title"], ["case", "vars.x", "# mine"], ["a", "1", "m"], ["b"], ["c", "3"]]:
        book.active.append(row)
    for area in ("A1:C1", "B3:B4", "C3:C5"):
        book.active.merge_cells(area)
    book.save(tmp_path / "more.xlsx")
    _, found = loaded(tmp_path, HEAD + "cases: more.xlsx\n")
    assert [(str(item.location), item.message) for item in found] == [
        ("more.xlsx!B3", "this cell is merged with others (B3:B4)")
    ]


def test_a_missing_value_is_located_at_its_empty_cell(tmp_path: Path) -> None:
    _, [case], _ = read(tmp_path, [["case", "vars.x", "vars.y"], ["a", 1, None]], "xlsx")
    assert str(case.where.location("vars", key=True)) == "more.xlsx!C2"
    assert str(case.where.location("vars", "x")) == "more.xlsx!B2"


def test_formulas_are_errors(tmp_path: Path) -> None:
    rows = [["case", "vars.x", "# mine"], ["a", "=1+1", "=2+2"], ["b", "#N/A"]]
    _, _, found = read(tmp_path, rows, "xlsx")
    assert found == [
        (Code.BAD_VALUE, "more.xlsx!B2", "this cell contains a formula"),
        (Code.BAD_VALUE, "more.xlsx!B3", "this cell contains an error: #N/A"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "code", "location"),
    [
        ("more.csv", b"", Code.EMPTY_FILE, "more.csv"),
        ("more.csv", b"case,was\n", Code.NO_CASES, "suite.yaml:4:8"),
        ("more.csv", b'case,was\na,"b\n', Code.BAD_VALUE, "more.csv:2:1"),
        ("more.csv", b"case\ncaf\xe9\n", Code.UNREADABLE_FILE, "more.csv:2:4"),
        ("more.csv", None, Code.FILE_NOT_FOUND, "suite.yaml:4:8"),
        ("more.xlsx", None, Code.FILE_NOT_FOUND, "suite.yaml:4:8"),
        ("more.xlsx", b"no workbook", Code.UNREADABLE_FILE, "more.xlsx"),
        ("more.xlsx", b"PK\x03\x04 broken", Code.UNREADABLE_FILE, "more.xlsx"),
    ],
)
def test_a_file_that_is_not_a_sheet(
    tmp_path: Path, name: str, content: bytes | None, code: Code, location: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    _, found = loaded(tmp_path, HEAD + f"cases: {name}\n")
    assert [(item.code, str(item.location)) for item in found] == [(code, location)]


def test_semicolons_and_utf_16_as_a_spreadsheet_may_save_them(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("case;vars.x\r\nä;1,5\r\n", encoding="utf-16")
    suite, found = loaded(tmp_path, HEAD + "cases: more.csv\n")
    assert suite is not None
    assert len(found) == 0
    assert suite.cases["ä"].variables == {"x": "1,5"}


def test_the_first_visible_sheet_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "lists"
    book.active.sheet_state = "hidden"
    shown = book.create_sheet("cases")
    shown.append(["case", "vars.day"])
    shown.append(["one"])
    shown["B2"] = date(2026, 3, 1)
    book.create_sheet("notes").append(["anything"])
    book.create_sheet("more").append(["case", "vars.day"])
    book.save(tmp_path / "more.xlsx")
    suite, found = loaded(tmp_path, HEAD + "cases: more.xlsx\n")
    assert suite is not None
    said = "the sheet 'more' also has a column 'case', but only the first sheet is read"
    assert [(item.message, item.severity) for item in found] == [(said, Severity.WARNING)]
    assert suite.cases["one"].variables == {"day": "2026-03-01"}
