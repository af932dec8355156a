"""What people said about answers and cases, in a spreadsheet or in JSON Lines.

An answer is labelled pass or fail. With `about: case` the label is about a case itself: yes, no or edit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from promptbench.core.errors import Code, Diagnostics, Location, did_you_mean
from promptbench.core.types import Json
from promptbench.tables.delimited import escape_formula, write_csv
from promptbench.tables.grid import MAX_BYTES, GridCell, read_grid
from promptbench.yaml.marked import JsonLine, parse_line
from promptbench.yaml.source import SourceError, read_source

NEEDED = ("case", "label")
COLUMNS = ("case", "model", "answer", "label")
_SHEET = ("case", "model", "input", "answer", "label")
WITHDRAWN = "withdrawn"  # The label by which reviewers take their last one back.
_LABELS = {"pass": True, "yes": True, "edit": True, "fail": False, "no": False, WITHDRAWN: False}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One answer or case with its label. Without an `answer`, a label of an answer is about the one on record.

    `passed` is True if the label accepts it. `reviewer` is "" if unknown. `location` returns the location of a column.
    `should_be` is the right answer, "" if the reviewer did not write one.
    """

    case: str
    passed: bool
    answer: str | None
    model: str | None
    location: Callable[[str], Location] = field(compare=False, default=lambda name: Location(""))
    label: str = ""
    reviewer: str = ""
    note: str = ""
    should_be: str = ""


def read_labelled(path: Path, shown: str, found: Diagnostics, about: str = "answer") -> list[Labelled]:
    """Return the labels of a file, a reviewer's newest only. Rows without one are left out; errors go to `found`."""
    is_json = path.suffix.lower() in (".jsonl", ".ndjson")
    rows = (_json_rows if is_json else _table_rows)(path, shown, found)
    try:
        labelled: dict[tuple[object, ...], Labelled] = {}
        for number, (row, location) in enumerate(rows):
            if row.get("about", "answer") == about and (item := _labelled(row, location, found)) is not None:
                key = item.case, item.answer, item.model, item.reviewer or number
                labelled.pop(key, None)
                if item.label != WITHDRAWN:
                    labelled[key] = item
    except OSError as error:
        found.add(Code.UNREADABLE_FILE, f"the file cannot be read: {error.strerror}", Location(shown))
        return []
    if not labelled and not found.errors and about == "answer":
        found.add(
            Code.NO_CASES,
            "no answer in this file has a label",
            Location(shown),
            hint="write pass or fail into the column 'label'",
        )
    return [*labelled.values()]


def sheet(rows: Iterable[Mapping[str, str]]) -> str:
    """Return a CSV sheet to fill in: case, model, input, answer, and a column for the label. No cell is a formula."""
    cells = [[escape_formula(row.get(name, "")) for name in _SHEET] for row in rows]
    return write_csv([_SHEET, *cells], line_end="\n")


_Row = tuple[Mapping[str, Json], Callable[[str], Location]]


def _labelled(row: Mapping[str, Json], location: Callable[[str], Location], found: Diagnostics) -> Labelled | None:
    values = {name: row.get(name) for name in COLUMNS}
    label = values["label"]
    if label is None or (isinstance(label, str) and not label.strip()):
        return None
    said = ("pass" if label else "fail") if isinstance(label, bool) else str(label).strip().lower()
    if said not in _LABELS:
        found.add(Code.BAD_VALUE, f"the label is '{label}'", location("label"), hint="write pass or fail")
        return None
    for name in ("case", "model", "answer"):
        if values[name] is not None and not isinstance(values[name], (str, int, float)):
            found.add(Code.WRONG_TYPE, f"'{name}' must be text", location(name))
            return None
    case = str(values["case"] if values["case"] is not None else "").strip()
    if not case:
        found.add(Code.MISSING_KEY, "the row has no case", location("case"))
        return None
    answer, model = values["answer"], values["model"]
    return Labelled(
        case,
        _LABELS[said],
        None if answer in (None, "") else str(answer),
        str(model).strip() or None if model is not None else None,
        location,
        said,
        str(row.get("reviewer") or "").strip(),
        str(row.get("note") or ""),
        str(row.get("should be") or ""),
    )


def _json_rows(path: Path, shown: str, found: Diagnostics) -> Iterator[_Row]:
    try:
        source = read_source(path, shown, max_bytes=MAX_BYTES)
    except SourceError as error:
        found.extend([error.diagnostic])
        return
    for number, text in enumerate(source.lines, 1):
        line = parse_line(source.path, number, text, found) if text.strip() else None
        if line is None:
            continue
        if not isinstance(line.value, dict):
            found.add(
                Code.WRONG_TYPE, "this line is not an object", line.location(), hint='{"case": "…", "label": "pass"}'
            )
            continue
        keys = {str(key).strip().lower(): key for key in line.value}
        missing = [name for name in NEEDED if name not in keys]
        if missing:
            _report_missing(missing[0], list(keys), line.location(), found)
            continue
        yield {name: line.value[key] for name, key in keys.items()}, partial(_json_location, line, keys)


def _json_location(line: JsonLine, keys: Mapping[str, str], name: str) -> Location:
    return line.location((keys[name],)) if name in keys else line.location()


def _table_rows(path: Path, shown: str, found: Diagnostics) -> Iterator[_Row]:
    rows = read_grid(path, shown, found, heading="label")
    header = next(rows, None)
    if header is None:
        return
    names = [str(cell.content).strip().lower() for cell in header]
    if missing := [name for name in NEEDED if name not in names]:
        _report_missing(missing[0], names, header[0].location, found)
        return
    for row in rows:
        cells = dict(zip(names, row, strict=False))
        for cell in (cells[name] for name in COLUMNS if name in cells):
            if cell.problem:
                message, hint = cell.problem
                found.add(Code.BAD_VALUE, message, cell.location, hint=hint)
        yield {name: cell.content for name, cell in cells.items()}, partial(_cell_location, cells, row[0])


def _cell_location(cells: Mapping[str, GridCell], first: GridCell, name: str) -> Location:
    return cells.get(name, first).location


def _report_missing(name: str, names: list[str], location: Location, found: Diagnostics) -> None:
    guess = did_you_mean(name, names)
    hint = f"did you mean '{name}' instead of '{guess}'?" if guess else f"the columns are {', '.join(COLUMNS)}"
    found.add(Code.MISSING_KEY, f"column '{name}' not found", location, hint=hint)
