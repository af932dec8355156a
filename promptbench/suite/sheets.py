"""Cases from a spreadsheet: a row is a case, and the headings are the words of the suite file.

A variable has a column `vars.NAME`, a field of the answer `expect.NAME`. A cell is read as YAML reads a plain value: a
number, `true`, `false` and `null` are that, JSON is data, and everything else is text; text in double quotes is text
whatever it says. A check stands in `check` with its argument in `value`, the next in `check 2` and `value 2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from promptbench.core.diagnostics import Code, Diagnostics, Location, did_you_mean
from promptbench.core.types import Json
from promptbench.formats.marked_json import parse_line
from promptbench.formats.marked_yaml import parse
from promptbench.formats.source import Source
from promptbench.suite.file import CaseFile, field_name
from promptbench.suite.grids import MOST_TITLES, Cell, Row, is_case_heading, read_grid

_Kind = Literal["text", "value", "list", "yaml"]
KINDS: dict[str, _Kind] = {
    "case": "text",
    "vars": "value",
    "was": "text",
    "cluster": "text",
    "note": "text",
    "expect": "value",
    "should_be": "value",
    "threshold": "value",
    "tags": "list",
    "checks": "yaml",
    "messages": "yaml",
    "quarantine": "yaml",
    "origin": "yaml",
}
"""How the cells of a column are read, by its field."""
SPLIT = ("vars", "expect", "quarantine")
"""Fields of which each name has a column of its own."""
_PAIR = re.compile(r"(check|value)(?: ?([1-9][0-9]?))?")
_LOOKS_LIKE_JSON = re.compile(r'[{["0-9-]|true\Z|false\Z|null\Z')
_WORDS = {"TRUE": True, "FALSE": False}
"""How spreadsheet programs save a cell that is true or false."""
COMMENT = "# comment"
"""The heading of the column with the comments that stand above the cases of a YAML file."""
_COMMENT_PATH = ("#",)


@dataclass(frozen=True, slots=True)
class Column:
    """`path` is where its cells go in a case; `("check", "2")` and `("value", "2")` belong to one check.

    It is empty where the column is not read.
    """

    path: tuple[str, ...]
    location: Location


Columns = Sequence[Column | None]
"""By their order in the file; None for a column without a heading."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A row as what stands in a suite file: its data, and the cell of everything in it.

    `comment` is None where the sheet has no column for it; `empty` are the first empty cells of fields that have
    several columns.
    """

    value: dict[str, Json]
    first: Location
    cells: dict[tuple[str | int, ...], Location] = field(default_factory=dict)
    comment: str | None = None
    empty: dict[str, Location] = field(default_factory=dict)

    def location(self, path: Sequence[str | int] = (), *, key: bool = False) -> Location:
        """The cell of what is at `path`, or of the nearest above it; the first of the row where there is none."""
        # The name of a check is in the cell that stands for the check, its argument in another.
        steps = tuple(path)[: -1 if key and len(path) == 3 else None]
        above = self.empty.get(str(steps[0]), self.first) if steps else self.first
        return next((self.cells[steps[:n]] for n in range(len(steps), 0, -1) if steps[:n] in self.cells), above)

    def is_blank(self, path: Sequence[str | int]) -> bool:
        """Never: an empty cell is not there at all."""
        return False


def case_rows(path: Path, shown: str, found: Diagnostics) -> Iterator[CaseRow | None]:
    """The rows of a file below its headings; None for one that cannot be read, with its mistakes in `found`.

    Raises OSError.
    """
    rows = read_grid(path, shown, found)
    first = list(islice(rows, MOST_TITLES))
    at = next((index for index, row in enumerate(first) if any(is_case_heading(cell.content) for cell in row)), 0)
    columns = read_columns(first[at], found) if first else ()
    for row in chain(first[at + 1 :], rows) if columns else ():
        yield read_row(columns, row, found)


def read_columns(header: Row, found: Diagnostics) -> Columns:
    """What the headings say; nothing without one for the cases. What is wrong goes to `found`, and is not read."""
    columns: list[Column | None] = []
    first: dict[tuple[str, ...], Location] = {}
    for cell in header:
        path = () if _tell_wrong(cell, found) else _path(cell, found)
        if path and path in first:
            message = f"two columns are headed '{str(cell.content).strip()}'"
            found.add(Code.DUPLICATE_KEY, message, cell.location, hint="keep one of the two", related=first[path])
            path = ()
        if path:
            first[path] = cell.location
        columns.append(None if path is None else Column(path, cell.location))
    if ("case",) not in first:
        columns = []
        hint = "head the column with the names of the cases 'case'"
        found.add(Code.MISSING_KEY, "there is no column 'case'", header[0].location, hint=hint)
    for at, location in first.items():
        if at[0] == "value" and ("check", at[1]) not in first:
            message = "a column 'value' belongs to a column 'check', which is not there"
            wanted = " ".join(("check", *at[1:])).strip()
            found.add(Code.MISSING_KEY, message, location, hint=f"add a column '{wanted}'")
    return columns


def read_row(columns: Columns, row: Row, found: Diagnostics) -> CaseRow | None:
    """A row as a case is written; None, with what is wrong in `found`, when a cell cannot be read."""
    before = len(found)
    read = CaseRow({}, row[0].location, comment=_comment(columns, row))
    checks: dict[str, dict[str, Cell]] = {}
    for index, cell in enumerate(row):
        column = columns[index] if index < len(columns) else None
        if cell.empty and column and len(column.path) > 1:
            read.empty.setdefault(column.path[0], cell.location)
        if cell.empty or (column and column.path in ((), _COMMENT_PATH)) or _tell_wrong(cell, found):
            continue
        if column is None:
            found.add(Code.UNKNOWN_KEY, "this cell has no heading", cell.location, hint="head its column, or empty it")
            continue
        root, *below = column.path
        if root in ("check", "value"):
            checks.setdefault(below[0], {})[root] = cell
        else:
            _put(read, column, cell, found)
    _put_checks(read, checks, found)
    return read if len(found) == before else None


def _comment(columns: Columns, row: Row) -> str | None:
    """The comment of a row; None where there is no column for it."""
    at = next((index for index, column in enumerate(columns) if column and column.path == _COMMENT_PATH), None)
    if at is None:
        return None
    return str(read_cell(row[at], "text", Diagnostics())) if at < len(row) else ""


def _tell_wrong(cell: Cell, found: Diagnostics) -> bool:
    """Tells a cell that cannot be taken as it is, and whether it is one."""
    if cell.wrong is None:
        return False
    message, hint = cell.wrong
    found.add(Code.BAD_VALUE, message, cell.location, hint=hint)
    return True


def _path(cell: Cell, found: Diagnostics) -> tuple[str, ...] | None:
    """Where the cells below a heading go; nowhere for a column of the author's own, and for one that is wrong."""
    heading = str(cell.content).strip()
    if not heading:
        return None
    if heading.startswith("#"):
        return _COMMENT_PATH if heading.lower() == COMMENT else ()
    if pair := _PAIR.fullmatch(heading.lower()):
        return pair[1], pair[2] or ""
    root, dot, name = heading.partition(".")
    written, name = field_name(root.lower()), name.strip()
    if dot and written in SPLIT and name:
        return written, name
    if not dot and written in KINDS:
        return (written,)
    known = [*(item.replace("_", " ") for item in CaseFile.model_fields), "check", "value"]
    guess = did_you_mean(root, known)
    hint = f"did you mean '{guess}'?" if guess and guess != root.lower() else None
    if written == "vars" or guess == "vars":
        hint = "head the column of a variable 'vars.NAME'"
    hint = hint or "known are case, vars.NAME, expect, expect.NAME, check, value; '#' starts a heading of your own"
    found.add(Code.UNKNOWN_KEY, f"'{heading}' is not a known heading", cell.location, hint=hint)
    return ()


def _put(read: CaseRow, column: Column, cell: Cell, found: Diagnostics) -> None:
    root, *below = column.path
    content = read_cell(cell, "value" if below else KINDS[root], found)
    if column.path in (("expect",), ("vars",)) and isinstance(content, str) and _opens(cell):
        hint = 'write {"team": "billing"}, or a column expect.team; a text that begins so stands in double quotes'
        found.add(Code.BAD_VALUE, "this looks like data and is no JSON", cell.location, hint=hint)
        return
    if not below:
        if isinstance(read.value.get(root), dict) and (root,) not in read.cells:
            _twice(root, cell, found)
        read.value[root] = content
    elif (root,) in read.cells:
        _twice(root, cell, found)
    else:
        read.value.setdefault(root, {})[below[0]] = content
    read.cells[column.path] = cell.location


def _opens(cell: Cell) -> bool:
    return str(cell.content).lstrip().startswith(("{", "["))


def _twice(root: str, cell: Cell, found: Diagnostics) -> None:
    message = f"this row says '{root}' in one cell and also field by field"
    found.add(Code.DUPLICATE_KEY, message, cell.location, hint="empty one of them")


def _put_checks(read: CaseRow, pairs: dict[str, dict[str, Cell]], found: Diagnostics) -> None:
    listed: list[Json] = []
    if "checks" in read.value:
        written = read.value["checks"]
        listed += written if isinstance(written, list) else [written]
        for index in range(len(listed)):
            read.cells["checks", index] = read.cells[("checks",)]
    for pair in (pairs[number] for number in sorted(pairs, key=lambda number: int(number or 1))):
        if "check" not in pair:
            hint = "name a check in the cell beside it, such as contains"
            found.add(Code.MISSING_KEY, "this value belongs to no check", pair["value"].location, hint=hint)
            continue
        argument = read_cell(pair["value"], "value", found) if "value" in pair else None
        name = read_cell(pair["check"], "text", found)
        read.cells["checks", len(listed)] = pair["check"].location
        read.cells["checks", len(listed), name] = pair.get("value", pair["check"]).location
        listed.append({name: argument})
    if listed:
        read.value["checks"] = listed


def read_cell(cell: Cell, kind: _Kind, found: Diagnostics) -> Json:
    """What a cell says."""
    content = cell.content
    if not isinstance(content, str):
        return content if kind == "value" else str(content).lower() if isinstance(content, bool) else str(content)
    text = content.strip()
    if kind == "yaml" or (kind == "list" and text.startswith(("[", "- "))):
        return _yaml(cell, text, found)
    if kind == "list":
        return [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
    if kind == "value" and text in _WORDS:
        return _WORDS[text]
    if not _LOOKS_LIKE_JSON.match(text) or (kind == "text" and not text.startswith('"')):
        return text
    # A text in quotes may have lines, as people write it; JSON has a sign for their ends.
    line = parse_line("", 1, text.replace("\n", "\\n") if text.startswith('"') else text, Diagnostics())
    if line is None or (kind == "text" and not isinstance(line.value, str)):
        return text
    return line.value


def _yaml(cell: Cell, text: str, found: Diagnostics) -> Json:
    inside = Diagnostics()
    document = parse(Source(cell.location.path, text), inside)
    for item in inside:
        found.add(item.code, item.message, cell.location, hint=item.hint, severity=item.severity)
    return document.value if document else None
