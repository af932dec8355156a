"""Writes Excel workbooks (`.xlsx`): pages with lists to choose from, and marks at the cells of one that is there."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptbench.core.errors import EnvironmentFailure
from promptbench.formats.workbooks import open_workbook

MOST_CHARACTERS = 32_767
"""A cell holds no more."""
_MORE_ROWS = 1_000
"""So many empty rows below the last one have the lists too."""
_AUTHOR = "promptbench"
_THEIRS = "\n----\n"
"""Stands in a comment between a mark and what somebody wrote there before."""
_RED = "FFFFC7CE"


@dataclass(frozen=True, slots=True)
class Page:
    """One sheet. `choices` are the texts to choose from in a column, `about` says what a column is for."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str | int | bool]]
    choices: Mapping[int, Sequence[str]] = field(default_factory=dict)
    about: Mapping[int, str] = field(default_factory=dict)


def workbook(pages: Sequence[Page]) -> bytes:
    """A workbook. No cell of it is a formula, whatever it says. Raises EnvironmentFailure without openpyxl."""
    try:
        import openpyxl
    except ImportError:
        hint = "pip install 'promptbench-gate[sheets]', or write a .csv file"
        raise EnvironmentFailure("a workbook needs openpyxl, which is not installed", hint=hint) from None
    book = openpyxl.Workbook(write_only=True)
    lists: list[Sequence[str]] = []
    for page in pages:
        _write(book.create_sheet(page.title), page, lists)
    if lists:
        hidden = book.create_sheet("lists")
        hidden.sheet_state = "hidden"
        longest = max(map(len, lists))
        for row in range(longest):
            hidden.append([_text_cell(hidden, texts[row] if row < len(texts) else "") for texts in lists])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _write(sheet: Any, page: Page, lists: list[Sequence[str]]) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    last = len(page.rows) + 1 + _MORE_ROWS
    for column, texts in page.choices.items():
        lists.append(texts)
        letter, where = get_column_letter(column + 1), get_column_letter(len(lists))
        # Other texts are asked about and not refused: what is there stays a case.
        rule = DataValidation("list", f"lists!${where}$1:${where}${len(texts)}", allow_blank=True, errorStyle="warning")
        rule.error, rule.errorTitle, rule.showErrorMessage = "This is not in the list.", page.headings[column], True
        rule.add(f"{letter}2:{letter}{last}")
        sheet.data_validations.append(rule)
    body = _text_cell(sheet, "")
    body.alignment = Alignment(wrap_text=True, vertical="top")
    for column in range(len(page.headings)):
        dimension = sheet.column_dimensions[get_column_letter(column + 1)]
        dimension.width = _width([page.headings[column], *(str(row[column]) for row in page.rows[:200])])
        # Also in the rows to come, what is typed stays as it is typed.
        dimension.number_format = "@"
    sheet.freeze_panes = "B2"
    head = []
    for column, text in enumerate(page.headings):
        cell = _text_cell(sheet, text)
        cell.font = Font(bold=True)
        if column in page.about:
            cell.comment = Comment(page.about[column], _AUTHOR, width=360, height=120)
        head.append(cell)
    sheet.append(head)
    for row in page.rows:
        sheet.append([_cell(sheet, content, body) for content in row])


def _cell(sheet: Any, content: str | int | bool, body: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if content == "":
        return None
    cell = WriteOnlyCell(sheet, content)
    cell._style = copy(body._style)
    if isinstance(content, str):
        cell.data_type = "s"
    return cell


def _text_cell(sheet: Any, text: str) -> Any:
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, text)
    cell.data_type, cell.number_format = "s", "@"
    return cell


def _width(texts: Sequence[str]) -> int:
    return min(60, max(10, *(len(line) + 2 for text in texts for line in text.split("\n"))))


def marked(path: Path, marks: Mapping[str, str]) -> bytes:
    """A copy of a workbook with a comment and a colour at cells of its first sheet that is seen; `B7` names a cell.

    The marks of an earlier copy are taken away.
    """
    with path.open("rb") as source:
        book = open_workbook(source, formulas=True, whole=True)
    sheet = next(sheet for sheet in book.worksheets if sheet.sheet_state == "visible")
    _unmark(sheet)
    said: dict[str, list[str]] = {}
    for name, text in marks.items():
        # Of merged cells only the first one can say something.
        areas = (area for area in sheet.merged_cells.ranges if name in area)
        said.setdefault(next((area.start_cell.coordinate for area in areas), name), []).append(text)
    for name, texts in said.items():
        _mark(sheet[name], "\n".join(texts))
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _mark(cell: Any, text: str) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import PatternFill

    theirs = f"{_THEIRS}{cell.comment.text}" if cell.comment else ""
    cell.comment = Comment(text + theirs, _AUTHOR, width=360, height=120)
    cell.fill = PatternFill("solid", start_color=_RED)


def _unmark(sheet: Any) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import PatternFill

    for row in sheet.iter_rows():
        for cell in row:
            if cell.comment and cell.comment.author == _AUTHOR and cell.fill.start_color.rgb == _RED:
                _, theirs, text = cell.comment.text.partition(_THEIRS)
                cell.comment = Comment(text, "") if theirs else None
                cell.fill = PatternFill()
