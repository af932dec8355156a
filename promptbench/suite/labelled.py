"""Read answers with human labels from CSV or JSON Lines: each row labels one answer as pass or fail."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.core.diagnostics import Code, Diagnostics, Location, did_you_mean
from promptbench.core.types import Json
from promptbench.formats.marked_json import parse_line
from promptbench.formats.source import Source, SourceError, read_source
from promptbench.suite.grids import as_cell, delimiter_of, from_cell

NEEDED = ("case", "label")
COLUMNS = ("case", "model", "answer", "label")
_SHEET = ("case", "model", "input", "answer", "label")
_LABELS = {"pass": True, "yes": True, "fail": False, "no": False}
_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Labelled:
    """One answer with its label.

    Without `answer` it is the recorded one; `model` is needed if several models answered. `location` returns that of a
    column.
    """

    case: str
    passed: bool
    answer: str | None
    model: str | None
    location: Callable[[str], Location] = field(compare=False)


def read_labelled(path: Path, shown: str, found: Diagnostics) -> list[Labelled]:
    """Return the labelled rows of a file. Rows without a label are left out, problems are added to `found`."""
    try:
        source = read_source(path, shown, max_bytes=_MAX_BYTES)
    except SourceError as error:
        found.extend([error.diagnostic])
        return []
    rows = _json_rows(source, found) if path.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows(source, found)
    labelled = [item for row, location in rows if (item := _labelled(row, location, found)) is not None]
    if not labelled and not found.errors:
        hint = "write pass or fail into the column 'label'"
        found.add(Code.NO_CASES, "no answer in this file has a label", Location(shown), hint=hint)
    return labelled


def sheet(rows: Iterable[Mapping[str, str]]) -> str:
    """Return a CSV sheet to label: case, model, input, answer, and an empty column for the label.

    Cells are escaped, so that a spreadsheet program executes none of them.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _SHEET, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: as_cell(row.get(name, "")) for name in _SHEET})
    return text.getvalue()


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
        found.add(Code.MISSING_KEY, "the row names no case", location("case"))
        return None
    answer, model = values["answer"], values["model"]
    return Labelled(
        case,
        _LABELS[said],
        None if answer in (None, "") else str(answer),
        str(model).strip() or None if model is not None else None,
        location,
    )


def _json_rows(source: Source, found: Diagnostics) -> Iterator[_Row]:
    for number, text in enumerate(source.lines, 1):
        line = parse_line(source.path, number, text, found) if text.strip() else None
        if line is None:
            continue
        if not isinstance(line.value, dict):
            hint = '{"case": "…", "label": "pass"}'
            found.add(Code.WRONG_TYPE, "this line is not an object", line.location(), hint=hint)
            continue
        keys = {str(key).strip().lower(): key for key in line.value}
        missing = [name for name in NEEDED if name not in keys]
        if missing:
            _report_missing(missing[0], list(keys), line.location(), found)
            continue
        locations = _JsonLocations(line.location, keys)
        yield {name: line.value[key] for name, key in keys.items()}, locations


@dataclass(frozen=True, slots=True)
class _JsonLocations:
    find: Callable[..., Location]
    keys: Mapping[str, str]

    def __call__(self, name: str) -> Location:
        return self.find((self.keys[name],)) if name in self.keys else self.find()


def _csv_rows(source: Source, found: Diagnostics) -> Iterator[_Row]:
    head = source.lines[0] if source.lines else ""
    reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=delimiter_of(head), strict=True)
    names: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                names = [cell.strip().lower() for cell in cells]
                missing = [name for name in NEEDED if name not in names]
                if missing:
                    _report_missing(missing[0], names, source.location(start, 1, len(head)), found)
                    return
                continue
            row = dict(zip(names, map(from_cell, cells), strict=False))
            yield row, _CsvLocations(source, start, row)
    except csv.Error as error:
        hint = "put a text with a quotation mark, comma or line break in quotes, and double the inner ones"
        found.add(Code.BAD_VALUE, f"this is not valid CSV: {error}", source.location(line, 1), hint=hint)


@dataclass(frozen=True, slots=True)
class _CsvLocations:
    source: Source
    line: int
    row: Mapping[str, str]

    def __call__(self, name: str) -> Location:
        """Return the location of a cell if its text is in the row's first line, else of the whole line."""
        text, cell = self.source.lines[self.line - 1], self.row.get(name, "")
        # The label comes after the answer, which may contain the same word.
        at = text.rfind(cell) if cell and name == "label" else text.find(cell) if cell else -1
        return (
            self.source.location(self.line, at + 1, len(cell))
            if at >= 0
            else self.source.location(self.line, 1, len(text))
        )


def _report_missing(name: str, names: list[str], location: Location, found: Diagnostics) -> None:
    guess = did_you_mean(name, names)
    hint = f"did you mean '{name}' where it says '{guess}'?" if guess else f"the columns are {', '.join(COLUMNS)}"
    found.add(Code.MISSING_KEY, f"there is no column '{name}'", location, hint=hint)
