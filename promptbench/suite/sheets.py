"""Cases from a spreadsheet: a row is a case, and the headings are the keys of the suite file.

A variable has a column `vars.NAME`, a field of the answer `expect.NAME`. A cell is read as YAML reads a plain value:
numbers, `true`, `false`, `null` and JSON are data, and everything else is text; text in double quotes is always text.
A check is named under `check` and its argument is under `value`; the next pair is `check 2` and `value 2`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from promptbench.core.errors import Code, Diagnostics, Location, did_you_mean
from promptbench.core.types import Json
from promptbench.suite.file import CaseFile, field_name
from promptbench.tables.grid import MAX_TITLE_ROWS, GridCell, GridRow, is_heading, read_grid
from promptbench.yaml.marked import parse, parse_line
from promptbench.yaml.source import Source

_Kind = Literal["text", "value", "list", "yaml"]
# How the cells of a column are read, by field.
KINDS: dict[str, _Kind] = {
    "case": "text",
    "vars": "value",
    "files": "value",
    "was": "text",
    "cluster": "text",
    "note": "text",
    "expect": "value",
    "should_be": "value",
    "threshold": "value",
    "tags": "list",
    "checks": "yaml",
    "messages": "yaml",
    "turns": "yaml",
    "quarantine": "yaml",
    "repeats": "value",
    "only_models": "list",
    "skip": "text",
    "origin": "yaml",
    # What a reviewer says about a row: these are not part of the case.
    "review": "text",
    "reviewer": "text",
}
# Parts of `origin` that reviewers compare with the case.
SOURCES = {"source document": "document", "source quote": "quote"}
# Fields whose keys have a column each.
SPLIT = ("vars", "files", "expect", "quarantine")
# The column with the comments that are above the cases of a YAML file.
COMMENT = "# comment"
_COMMENT_PATH = ("#",)
_PAIR = re.compile(r"(check|value)(?: ?([1-9][0-9]?))?")
_LOOKS_LIKE_JSON = re.compile(r'[{["0-9-]|true\Z|false\Z|null\Z')
# How spreadsheet programs save booleans as CSV.
_BOOLEANS = {"TRUE": True, "FALSE": False}


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column; `path` is where its cells go in a case, and () if it is not read.

    `("check", "2")` and `("value", "2")` belong to one check.
    """

    path: tuple[str, ...]
    location: Location


# In the order of the file. None is a column without a heading.
SheetColumns = Sequence[SheetColumn | None]


@dataclass(frozen=True, slots=True)
class SheetCase:
    """The data of a row, as an entry of a suite file has it, and the location of the cell of each value.

    `comment` is None if the sheet has no column for it. `empty` is the first empty cell of each field that has several
    columns. `reviewed` is True if the sheet has a column `review`, whether or not this row has one.
    """

    value: dict[str, Json]
    first: Location
    cells: dict[tuple[str | int, ...], Location] = field(default_factory=dict)
    comment: str | None = None
    empty: dict[str, Location] = field(default_factory=dict)
    reviewed: bool = False

    def location(self, path: Sequence[str | int] = (), *, key: bool = False) -> Location:
        """Return the cell of the value at `path` or of its nearest parent, else the first cell of the row."""
        # The name of a check is in one cell, and its argument in another.
        steps = tuple(path)[: -1 if key and len(path) == 3 else None]
        default = self.empty.get(str(steps[0]), self.first) if steps else self.first
        return next((self.cells[steps[:n]] for n in range(len(steps), 0, -1) if steps[:n] in self.cells), default)

    def is_blank(self, path: Sequence[str | int]) -> bool:
        """Return False: an empty cell is a missing key, not a key without a value as in YAML."""
        return False


def case_rows(path: Path, shown: str, diagnostics: Diagnostics) -> Iterator[SheetCase | None]:
    """Yield the rows below the header; None for one that cannot be read, with its errors in `diagnostics`.

    Raises OSError.
    """
    rows = read_grid(path, shown, diagnostics, heading="case")
    first = list(islice(rows, MAX_TITLE_ROWS))
    headers = (index for index, row in enumerate(first) if any(is_heading(cell.content, "case") for cell in row))
    at = next(headers, 0)
    columns = read_columns(first[at], diagnostics) if first else ()
    for row in chain(first[at + 1 :], rows) if columns else ():
        yield read_row(columns, row, diagnostics)


def read_columns(header: GridRow, diagnostics: Diagnostics) -> SheetColumns:
    """Return the columns of a header, or () if none is for the names of the cases. Columns with errors are not read."""
    columns: list[SheetColumn | None] = []
    first: dict[tuple[str, ...], Location] = {}
    for cell in header:
        path = () if _has_problem(cell, diagnostics) else _path(cell, diagnostics)
        if path and path in first:
            message = f"duplicate column '{str(cell.content).strip()}'"
            diagnostics.add(Code.DUPLICATE_KEY, message, cell.location, hint="keep one of the two", related=first[path])
            path = ()
        if path:
            first[path] = cell.location
        columns.append(None if path is None else SheetColumn(path, cell.location))
    if ("case",) not in first:
        columns = []
        diagnostics.add(
            Code.MISSING_KEY,
            "column 'case' not found",
            header[0].location,
            hint="name the column with the names of the cases 'case'",
        )
    for (root, *below), location in first.items():
        if root == "value" and ("check", *below) not in first:
            name = " ".join(("check", *below)).strip()
            message = f"a column 'value' needs a column '{name}', which was not found"
            diagnostics.add(Code.MISSING_KEY, message, location, hint=f"add a column '{name}'")
    return columns


def read_row(columns: SheetColumns, row: GridRow, diagnostics: Diagnostics) -> SheetCase | None:
    """Return a row as a case; None, with errors in `diagnostics`, if a cell cannot be read."""
    before = len(diagnostics)
    paths = [column.path for column in columns if column]
    has_comment = _COMMENT_PATH in paths
    commented = [cell for column, cell in zip(columns, row, strict=False) if column and column.path == _COMMENT_PATH]
    comment = "".join(str(read_cell(cell, "text", Diagnostics())) for cell in commented[:1]) if has_comment else None
    case = SheetCase({}, row[0].location, comment=comment, reviewed=("review",) in paths)
    pairs: dict[str, dict[str, GridCell]] = {}
    for index, cell in enumerate(row):
        column = columns[index] if index < len(columns) else None
        if cell.empty and column and len(column.path) > 1:
            case.empty.setdefault(column.path[0], cell.location)
        if cell.empty or (column and column.path in ((), _COMMENT_PATH)) or _has_problem(cell, diagnostics):
            continue
        if column is None:
            diagnostics.add(
                Code.UNKNOWN_KEY,
                "this cell has no heading",
                cell.location,
                hint="write a heading for its column, or empty it",
            )
            continue
        root, *below = column.path
        if root in ("check", "value"):
            pairs.setdefault(below[0], {})[root] = cell
        else:
            _put(case, column, cell, diagnostics)
    _put_checks(case, pairs, diagnostics)
    return case if len(diagnostics) == before else None


def _has_problem(cell: GridCell, diagnostics: Diagnostics) -> bool:
    """Report a cell that cannot be used, and return whether it is one."""
    if cell.problem is None:
        return False
    message, hint = cell.problem
    diagnostics.add(Code.BAD_VALUE, message, cell.location, hint=hint)
    return True


def _path(cell: GridCell, diagnostics: Diagnostics) -> tuple[str, ...] | None:
    """Return where the cells below a heading go; () for an author's own column and for an unknown heading."""
    heading = str(cell.content).strip()
    if not heading:
        return None
    if heading.startswith("#"):
        return _COMMENT_PATH if heading.lower() == COMMENT else ()
    if pair := _PAIR.fullmatch(heading.lower()):
        return pair[1], pair[2] or ""
    if heading.lower() in SOURCES:
        return "origin", SOURCES[heading.lower()]
    root, dot, name = heading.partition(".")
    written, name = field_name(root.lower()), name.strip()
    if dot and written in SPLIT and name:
        return written, name
    if not dot and written in KINDS:
        return (written,)
    known = [*(item.replace("_", " ") for item in CaseFile.model_fields), "check", "value"]
    guess = did_you_mean(root, known)
    hint = "expected case, vars.NAME, expect, expect.NAME, check or value; begin a heading of your own with '#'"
    if written == "vars" or guess == "vars":
        hint = "name the column of a variable 'vars.NAME'"
    elif guess and guess != root.lower():
        hint = f"did you mean '{guess}'?"
    diagnostics.add(Code.UNKNOWN_KEY, f"unknown heading '{heading}'", cell.location, hint=hint)
    return ()


def _put(case: SheetCase, column: SheetColumn, cell: GridCell, diagnostics: Diagnostics) -> None:
    root, *below = column.path
    content = read_cell(cell, "value" if below else KINDS[root], diagnostics)
    looks_like_data = str(cell.content).lstrip().startswith(("{", "["))
    if column.path in (("expect",), ("vars",), ("files",)) and isinstance(content, str) and looks_like_data:
        diagnostics.add(
            Code.BAD_VALUE,
            "invalid JSON",
            cell.location,
            hint='write {"team": "billing"}, or a column expect.team; put a text that begins so in double quotes',
        )
        return
    is_mapping = isinstance(case.value.get(root), dict)
    if (root,) in case.cells or (not below and is_mapping):
        diagnostics.add(
            Code.DUPLICATE_KEY,
            f"'{root}' is set both in one cell and by field",
            cell.location,
            hint="empty one of them",
        )
    if not below:
        case.value[root] = content
    elif (root,) not in case.cells:
        case.value.setdefault(root, {})[below[0]] = content
    case.cells[column.path] = cell.location


def _put_checks(case: SheetCase, pairs: dict[str, dict[str, GridCell]], diagnostics: Diagnostics) -> None:
    checks: list[Json] = []
    if "checks" in case.value:
        written = case.value["checks"]
        checks += written if isinstance(written, list) else [written]
        for index in range(len(checks)):
            case.cells["checks", index] = case.cells[("checks",)]
    for pair in (pairs[number] for number in sorted(pairs, key=lambda number: int(number or 1))):
        if "check" not in pair:
            diagnostics.add(
                Code.MISSING_KEY,
                "this value has no check",
                pair["value"].location,
                hint="name a check in the cell next to it, such as contains",
            )
            continue
        argument = read_cell(pair["value"], "value", diagnostics) if "value" in pair else None
        name = read_cell(pair["check"], "text", diagnostics)
        case.cells["checks", len(checks)] = pair["check"].location
        case.cells["checks", len(checks), name] = pair.get("value", pair["check"]).location
        checks.append({name: argument})
    if checks:
        case.value["checks"] = checks


def read_cell(cell: GridCell, kind: _Kind, diagnostics: Diagnostics) -> Json:
    """Return the value of a cell. Raises nothing: YAML errors go to `diagnostics`, invalid JSON is text."""
    content = cell.content
    if not isinstance(content, str):
        return content if kind == "value" else str(content).lower() if isinstance(content, bool) else str(content)
    text = content.strip()
    if kind == "yaml" or (kind == "list" and text.startswith(("[", "- "))):
        return _yaml(cell, text, diagnostics)
    if kind == "list":
        return [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
    if kind == "value" and text in _BOOLEANS:
        return _BOOLEANS[text]
    if not _LOOKS_LIKE_JSON.match(text) or (kind == "text" and not text.startswith('"')):
        return text
    # People put line breaks into quoted text, where JSON has an escape.
    line = parse_line("", 1, text.replace("\n", "\\n") if text.startswith('"') else text, Diagnostics())
    if line is None or (kind == "text" and not isinstance(line.value, str)):
        return text
    return line.value


def _yaml(cell: GridCell, text: str, diagnostics: Diagnostics) -> Json:
    inside = Diagnostics()
    document = parse(Source(cell.location.path, text), inside)
    for item in inside:
        diagnostics.add(item.code, item.message, cell.location, hint=item.hint, severity=item.severity)
    return document.value if document else None
