"""`promptbench sheet`: export the cases of a suite to a spreadsheet, and import them."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.helpers.project import V2, ProjectFolder
from tests.helpers.shipped import ROOT, copy_store

SUITE = "suites/triage/suite.yaml"
WITH_COMMENTS = """\
suite: triage
prompt: triage.better.prompt
models: [openai/fake]   # one
checks: [json]
cases:
  # of March
  - case: charged twice
    vars: {message: I was charged twice}
    expect: {team: billing}  # never 'refund'

  - case: late parcel
    vars: {message: My parcel is late}
    expect: {team: delivery}
    tags: [critical]
gate: {repeats: 3}
"""


@pytest.fixture
def triage(project: ProjectFolder) -> ProjectFolder:
    project.write(SUITE, WITH_COMMENTS)
    schema = "output: {schema: {type: object, properties: {team: {enum: [billing, delivery]}}}}"
    project.write("suites/triage/triage.better.prompt", V2.replace("output: {schema: {team: string}}", schema))
    return project


def suite_text(project: ProjectFolder) -> str:
    return (project.root / SUITE).read_text(encoding="utf-8")


def edit(path: Path, change: Callable[[Any], None]) -> None:
    book = openpyxl.load_workbook(path)
    change(book.worksheets[0])
    book.save(path)


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_a_workbook_has_drop_downs(triage: ProjectFolder) -> None:
    done = triage.run("sheet", "export", "suites/triage")
    assert (done.code, done.out) == (0, "wrote 2 cases to cases.xlsx\n")
    book = openpyxl.load_workbook(triage.root / "cases.xlsx")
    cases, checks, lists = book.worksheets
    assert [row[:3] for row in cases.iter_rows(values_only=True)] == [
        ("case", "vars.message", "expect.team"),
        ("charged twice", "I was charged twice", "billing"),
        ("late parcel", "My parcel is late", "delivery"),
    ]
    rules = {str(rule.sqref).split(":")[0]: rule for rule in cases.data_validations.dataValidation}
    columns = {cell.value: cell.column_letter for cell in cases[1]}
    assert {cell[:-1] for cell in rules} == {columns[name] for name in ("expect.team", "check", "check 2")}
    chosen = {}
    for name in ("expect.team", "check"):
        rule = rules[f"{columns[name]}2"]
        assert (rule.type, rule.errorStyle, str(rule.sqref).split(":")[1]) == (
            "list",
            "warning",
            f"{columns[name]}1003",
        )
        sheet, area = rule.formula1.split("!")
        assert sheet == lists.title
        chosen[name] = [row[0].value for row in lists[area.replace("$", "")]]
    assert chosen["expect.team"] == ["billing", "delivery"]
    assert {"contains", "not contains", "json schema"} <= set(chosen["check"])
    assert lists.sheet_state == "hidden"
    assert chosen["check"] == [row[0] for row in checks.iter_rows(min_row=2, values_only=True)]
    assert cases["A2"].number_format == cases.column_dimensions["A"].number_format == "@"
    assert "{{message}}" in cases["B1"].comment.text


def test_no_cell_is_a_formula(triage: ProjectFolder) -> None:
    triage.edit(SUITE, "{message: My parcel is late}", "{message: '=HYPERLINK(\"x\")'}")
    triage.edit(SUITE, "case: late parcel", "case: '@late'")
    triage.run("sheet", "export", "suites/triage")
    sheet = openpyxl.load_workbook(triage.root / "cases.xlsx").worksheets[0]
    assert [(cell.value, cell.data_type) for cell in sheet[3][:2]] == [("@late", "s"), ('=HYPERLINK("x")', "s")]
    triage.run("sheet", "export", "suites/triage", "--output", "cases.csv")
    assert rows_of(triage.root / "cases.csv")[2][:2] == ["'@late", '\'=HYPERLINK("x")']
    for name in ("cases.csv", "cases.xlsx"):
        assert "2 unchanged" in triage.run("sheet", "import", name, "suites/triage").out


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_existing_file_is_not_overwritten(triage: ProjectFolder, kind: str) -> None:
    assert triage.run("sheet", "export", "suites/triage", "--output", f"x/y.{kind}").code == 0
    again = triage.run("sheet", "export", "suites/triage", "--output", f"x/y.{kind}")
    assert again.code == 2
    assert "already exists" in again.err
    assert triage.run("sheet", "export", "suites/triage", "--output", "y.ods").code == 2


def test_changes_in_a_sheet_are_written_to_the_suite(triage: ProjectFolder) -> None:
    triage.run("sheet", "export", "suites/triage")

    def change(sheet: Any) -> None:
        columns = {cell.value: cell.column_letter for cell in sheet[1]}
        sheet[f"{columns['expect.team']}2"] = "delivery"
        sheet["A3"] = "parcel is late"
        sheet[f"{columns['# comment']}3"] = "seen\ntwice"
        new = {"case": "new", "vars.message": "=1+1\nHi", "check": "not contains", "value": "sorry", "tags": "a, b"}
        for name, text in {**new, "# comment": "by hand", "expect.team": "010"}.items():
            sheet[f"{columns[name]}5"].value = text
            sheet[f"{columns[name]}5"].data_type = "s"

    edit(triage.root / "cases.xlsx", change)
    looked = triage.run("sheet", "import", "cases.xlsx", "suites/triage", "--dry-run", "--json")
    assert suite_text(triage) == WITH_COMMENTS
    done = triage.run("sheet", "import", "cases.xlsx", "suites/triage")
    assert done.code == 0, done.err
    wanted = WITH_COMMENTS.replace("{team: billing}", "{team: delivery}").replace(
        "  - case: late parcel\n", "  # seen\n  # twice\n  - case: parcel is late\n"
    )
    new = """
  # by hand
  - case: new
    vars:
      message: |-
        =1+1
        Hi
    expect: {team: '010'}
    tags: [a, b]
    checks:
      - not contains: sorry
"""
    assert suite_text(triage) == wanted.replace("    tags: [critical]\n", f"    tags: [critical]\n{new}")
    assert "renamed 'late parcel' to 'parcel is late'" in done.out
    assert done.out.endswith("changed suites/triage/suite.yaml: 2 changed, 1 new\n")
    assert done.out.startswith(looked.data["diff"])
    assert (looked.data["added"], looked.data["written"]) == (["new"], False)
    again = triage.run("sheet", "import", "cases.xlsx", "suites/triage")
    assert again.out == "no changes in suites/triage/suite.yaml: 3 unchanged\n"


def test_cases_that_are_not_in_the_sheet_stay_without_remove(triage: ProjectFolder) -> None:
    triage.write("cases.csv", "case,vars.message,expect.team\nlate parcel,My parcel is late,delivery\n")
    kept = triage.run("sheet", "import", "cases.csv", "suites/triage")
    # The sheet has no column for tags, so it says that there are none.
    assert "-    tags: [critical]" in kept.out
    assert "not in the sheet: 'charged twice' (kept; remove them with --remove)" in kept.err
    gone = triage.run("sheet", "import", "cases.csv", "suites/triage", "--remove")
    assert "not in the sheet: 'charged twice' (removed)" in gone.err
    assert "changed suites/triage/suite.yaml: 1 removed, 1 unchanged" in gone.out
    assert "# of March" not in suite_text(triage)
    assert suite_text(triage).count("- case:") == 1


ROWS_WITH_ERRORS = [
    ["Cases of the bot"],
    ["case", "vars.message", "expect.team", "check", "value"],
    ["a", "Hi", "billing", "contians", "x"],
    ["b", "", "billing"],
    ["c", "Hello", "billing"],
    ["c", "Hello", "", "json", "", "lost"],
]


def test_errors_are_shown_at_their_cells(triage: ProjectFolder) -> None:
    book = openpyxl.Workbook()
    for row in ROWS_WITH_ERRORS:
        book.active.append(row)
    book.save(triage.root / "mine.xlsx")
    done = triage.run("sheet", "import", "mine.xlsx", "suites/triage")
    assert done.code == 2
    assert "mine.errors.xlsx shows each at its cell" in done.err
    copy = openpyxl.load_workbook(triage.root / "mine.errors.xlsx").active
    marks = {cell.coordinate: cell.comment.text for row in copy.iter_rows() for cell in row if cell.comment}
    assert marks == {
        "D3": "there is no check 'contians'; did you mean 'contains'?",
        "B4": "the case 'b' has no value for {{message}} of triage.better.prompt; write it under vars.message",
        "F6": "this cell has no heading; write a heading for its column, or empty it",
    }
    assert {f"mine.xlsx!{cell}: error" in done.err for cell in marks} == {True}
    assert {cell.coordinate for row in copy.iter_rows() for cell in row if cell.fill.fill_type} == set(marks)
    assert suite_text(triage) == WITH_COMMENTS

    def fix(sheet: Any) -> None:
        sheet["D3"], sheet["B4"], sheet["F6"], sheet["A6"] = "contains", "Bye", None, "d"

    edit(triage.root / "mine.errors.xlsx", fix)
    edit(triage.root / "mine.errors.xlsx", lambda sheet: sheet.__setitem__("D5", "nothing"))
    again = triage.run("sheet", "import", "mine.errors.xlsx", "suites/triage")
    assert (again.code, "mine.errors.xlsx!D5: error" in again.err) == (2, True)
    left = openpyxl.load_workbook(triage.root / "mine.errors-2.xlsx").active
    assert [cell.coordinate for row in left.iter_rows() for cell in row if cell.comment] == ["D5"]
    edit(triage.root / "mine.errors-2.xlsx", lambda sheet: sheet.__setitem__("D5", None))
    fixed = triage.run("sheet", "import", "mine.errors-2.xlsx", "suites/triage")
    assert "4 new" in fixed.out, fixed.err


def test_errors_in_merged_cells_are_shown_at_the_first(triage: ProjectFolder) -> None:
    book = openpyxl.Workbook()
    for row in [["case", "vars.message"], ["a", "Hi"], ["", "Ho"]]:
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.save(triage.root / "mine.xlsx")
    done = triage.run("sheet", "import", "mine.xlsx", "suites/triage")
    assert (done.code, "mine.xlsx!A3: error" in done.err) == (2, True)
    copy = openpyxl.load_workbook(triage.root / "mine.errors.xlsx").active
    assert copy["A2"].comment.text.startswith("this cell is merged with others (A2:A3); ")
    assert "'case:' is missing" in copy["A2"].comment.text


def test_errors_in_a_csv_file_have_a_column(triage: ProjectFolder) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows(ROWS_WITH_ERRORS)
    triage.write("mine.csv", text.getvalue())
    done = triage.run("sheet", "import", "mine.csv", "suites/triage")
    assert (done.code, "mine.csv:3:14: error" in done.err) == (2, True), done.err
    copied = list(csv.reader(io.StringIO((triage.root / "mine.errors.csv").read_text("utf-8-sig")), delimiter=";"))
    assert copied[1] == [*ROWS_WITH_ERRORS[1], "", "# errors"]
    assert [row[5] for row in copied] == ["", "", "", "", "", "lost"]
    assert [row[6] for row in copied[2:]] == [
        "check: there is no check 'contians'; did you mean 'contains'?",
        "vars.message: the case 'b' has no value for {{message}} of triage.better.prompt; write it under vars.message",
        "",
        "this cell has no heading; write a heading for its column, or empty it",
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.csv", b"", "the file is empty"),
        ("x.csv", b"case\n", "has no cases"),
        ("x.csv", b"name,expect\na,b\n", "column 'case' not found"),
        ("x.csv", b'case\n"a\n', "invalid CSV"),
        ("x.xlsx", b"PK no workbook", "the workbook is damaged"),
        ("missing.csv", None, "No such file"),
    ],
)
def test_invalid_sheets(triage: ProjectFolder, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (triage.root / name).write_bytes(content)
    done = triage.run("sheet", "import", name, "suites/triage")
    assert (done.code, said in done.err) == (2, True), done.err


def test_cases_of_a_case_file_are_changed_there(triage: ProjectFolder) -> None:
    lines = '{"case": "a", "vars": {"message": "Hi"}, "expect": {"n": 1.10}}\n{"case": "b", "vars": {"message": "x"}}\n'
    triage.write("suites/triage/more.jsonl", lines)
    triage.write("suites/triage/other.csv", "case,vars.message\nof csv,Hello\n")
    triage.write(SUITE, WITH_COMMENTS.replace("cases:\n", "cases:\n  - more.jsonl\n  - other.csv\n"))
    before = suite_text(triage)
    triage.run("sheet", "export", "suites/triage", "--output", "all.csv")
    rows = rows_of(triage.root / "all.csv")
    assert [row[0] for row in rows[1:]] == ["charged twice", "late parcel", "a", "b", "of csv"]
    rows[3][1] = "Hi there"
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    triage.write("all.csv", text.getvalue())
    done = triage.run("sheet", "import", "all.csv", "suites/triage")
    assert "1 changed, 4 unchanged" in done.out, done.err
    assert (triage.root / "suites/triage/more.jsonl").read_text() == lines.replace('"Hi"', '"Hi there"')
    assert suite_text(triage) == before
    triage.write("all.csv", text.getvalue().replace(",Hello,", ",Bye,"))
    refused = triage.run("sheet", "import", "all.csv", "suites/triage")
    assert (refused.code, "the case 'of csv' is in other.csv" in refused.err) == (2, True)


def test_new_cases_are_added_to_the_case_file(triage: ProjectFolder) -> None:
    line = '{"case": "a", "vars": {"message": "Hi"}}\n'
    triage.write("suites/triage/more.jsonl", line)
    triage.write(
        SUITE, "suite: t\nprompt: triage.better.prompt\nmodels: [openai/fake]\nchecks: [json]\ncases: more.jsonl\n"
    )
    triage.write("new.csv", "case,vars.message,# comment\na,Hi,seen\nb,Ho,\n")
    done = triage.run("sheet", "import", "new.csv", "suites/triage")
    assert "the comment of 'a' is lost: more.jsonl cannot hold comments" in done.err
    more = (triage.root / "suites/triage/more.jsonl").read_text()
    assert more == line + '{"case": "b", "vars": {"message": "Ho"}}\n'


@pytest.mark.parametrize("suite", sorted(path.parent.name for path in ROOT.glob("suites/*/suite.yaml")))
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_round_trip_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], suite: str, kind: str
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "suites", tmp_path / "suites")
    copy_store(tmp_path)
    monkeypatch.chdir(tmp_path)
    from promptbench.cli.app import run

    assert run(["sheet", "export", f"suites/{suite}", "--output", f"x.{kind}"]) == 0
    assert run(["sheet", "import", f"x.{kind}", f"suites/{suite}", "--remove"]) == 0
    text = capsys.readouterr()
    assert f"no changes in suites/{suite}/suite.yaml: " in text.out
    assert text.err == ""
    for path in (ROOT / "suites" / suite).glob("*.*"):
        assert path.read_bytes() == (tmp_path / "suites" / suite / path.name).read_bytes()
