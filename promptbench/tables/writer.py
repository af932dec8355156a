"""Excel workbooks (`.xlsx`) for people to fill in, and comments at the cells of a workbook that they filled in."""

import io
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptbench.tables.workbook import open_workbook, visible_sheets

# The limit of the file format.
MAX_CELL_LENGTH = 32_767
# Drop-downs are also in this many rows below the last one, for rows to be added.
_EXTRA_ROWS = 1_000
_AUTHOR = "promptbench"
# Between our comment and one that somebody else wrote at the same cell.
_SEPARATOR = "\n----\n"
_RED = "FFFFC7CE"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet to write. `choices` are the drop-down texts of a column and `notes` its heading's comment, by index."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str | int | bool]]
    choices: Mapping[int, Sequence[str]] = field(default_factory=dict)
    notes: Mapping[int, str] = field(default_factory=dict)


def write_workbook(sheets: Sequence[Sheet]) -> bytes:
    """Return a workbook with these sheets. No cell is a formula, whatever its text."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    lists: list[Sequence[str]] = []
    for sheet in sheets:
        _write_sheet(book.create_sheet(sheet.title), sheet, lists)
    if lists:
        # Drop-downs refer to cells, because a list inside a rule may have 255 characters only.
        hidden = book.create_sheet("lists")
        hidden.sheet_state = "hidden"
        for row in range(max(map(len, lists))):
            hidden.append([_text_cell(hidden, texts[row] if row < len(texts) else "") for texts in lists])
    return _saved(book)


def _write_sheet(target: Any, sheet: Sheet, lists: list[Sequence[str]]) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    for column, texts in sheet.choices.items():
        lists.append(texts)
        letter, list_letter = get_column_letter(column + 1), get_column_letter(len(lists))
        # A warning, not a refusal, because the cell may already hold another text.
        rule = DataValidation(
            "list",
            f"lists!${list_letter}$1:${list_letter}${len(texts)}",
            allow_blank=True,
            errorStyle="warning",
            showErrorMessage=True,
            error="This is not in the list.",
            errorTitle=sheet.headings[column],
        )
        rule.add(f"{letter}2:{letter}{len(sheet.rows) + 1 + _EXTRA_ROWS}")
        target.data_validations.append(rule)
    for column, heading in enumerate(sheet.headings):
        dimension = target.column_dimensions[get_column_letter(column + 1)]
        dimension.width = _width([heading, *(str(row[column]) for row in sheet.rows[:200])])
        # The text format also holds for rows to be added: a program must not turn `010` into a number.
        dimension.number_format = "@"
    target.freeze_panes = "B2"
    header = [_text_cell(target, heading) for heading in sheet.headings]
    for column, cell in enumerate(header):
        cell.font = Font(bold=True)
        if column in sheet.notes:
            cell.comment = Comment(sheet.notes[column], _AUTHOR, width=360, height=120)
    target.append(header)
    body = _text_cell(target, "")
    body.alignment = Alignment(wrap_text=True, vertical="top")
    for row in sheet.rows:
        target.append([None if content == "" else _text_cell(target, content, body) for content in row])


def _text_cell(target: Any, content: str | int | bool, like: Any = None) -> Any:
    """Return a cell with text that is never a formula, or another value, in the style of the cell `like`."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(target, content)
    if like is None:
        cell.number_format = "@"
    else:
        cell._style = copy(like._style)
    if isinstance(content, str):
        cell.data_type = "s"
    return cell


def _width(texts: Sequence[str]) -> int:
    return min(60, max(10, *(len(line) + 2 for text in texts for line in text.split("\n"))))


def annotate_workbook(path: Path, comments: Mapping[str, str]) -> bytes:
    """Return a copy of a workbook with comments at cells of its first visible sheet, which become red.

    Comments of an earlier copy are removed; those of other people stay. Raises WorkbookError if it cannot be read.

    Args:
        comments: Texts by cell name, such as `B7`.
    """
    from openpyxl.comments import Comment
    from openpyxl.styles import PatternFill

    with path.open("rb") as source, open_workbook(source, formulas=True, editable=True) as book:
        sheet = visible_sheets(book)[0]
        for cell in (cell for row in sheet.iter_rows() for cell in row if cell.comment):
            # The notes at the headings are ours too, and not red.
            if cell.comment.author == _AUTHOR and cell.fill.start_color.rgb == _RED:
                _, separator, other = cell.comment.text.partition(_SEPARATOR)
                cell.comment = Comment(other, "") if separator else None
                cell.fill = PatternFill()
        by_cell: dict[str, list[str]] = {}
        for name, text in comments.items():
            # Only the first of merged cells can have a comment.
            areas = (area for area in sheet.merged_cells.ranges if name in area)
            by_cell.setdefault(next((area.start_cell.coordinate for area in areas), name), []).append(text)
        for name, texts in by_cell.items():
            cell = sheet[name]
            other = [cell.comment.text] if cell.comment else []
            cell.comment = Comment(_SEPARATOR.join(["\n".join(texts), *other]), _AUTHOR, width=360, height=120)
            cell.fill = PatternFill("solid", start_color=_RED)
        return _saved(book)


def _saved(book: Any) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()
