"""Cases as a table for a spreadsheet: what `sheets` reads back as the same cases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from promptbench.core.canonical import escape_surrogates
from promptbench.core.diagnostics import Diagnostics, Location
from promptbench.core.plugins import module_name
from promptbench.core.types import Json
from promptbench.formats.yaml_text import in_braces, item_lines
from promptbench.suite.file import field_name
from promptbench.suite.grids import Cell, as_cell
from promptbench.suite.models import Case, CheckSpec
from promptbench.suite.sheets import COMMENT, KINDS, SPLIT, read_cell

Content = str | int | bool
"""What a cell holds; "" where it is empty."""
Fields = Mapping[str, Json]
"""What a case says, by field, whatever way its author wrote it."""

_MOST_PAIRS = 4
"""So many checks of a case have columns of their own; those before them stand together in one cell."""
_MOST_NAMES = 100
"""Of more different variables, or fields of the answer, each case has all in one cell."""
_LARGEST_INT = 10**15
"""A spreadsheet program keeps fifteen digits."""
_UNSAFE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|_x[0-9A-Fa-f]{4}_")
"""What no workbook holds as it is."""
_RETYPED = re.compile(r"(?=.*\d)[-+\d.,:/%()eE $€£]+\Z|(?i:true|false)\Z")
"""Texts that a spreadsheet program takes for numbers, times or dates when it opens a CSV file."""
_OF_THE_REST = ("was", "should_be", "threshold", "cluster", "checks", "messages", "origin")
_QUARANTINE = ("owner", "reason", "review by")


@dataclass(frozen=True, slots=True)
class Entry:
    """A case for a table; `comment` is None where its file has no place for one."""

    fields: Fields
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    headings: Sequence[str]
    rows: Sequence[Sequence[Content]]

    def column(self, heading: str) -> int:
        return self.headings.index(heading)


def fields_of(case: Case) -> Fields:
    """What a case says. Two cases that say the same have the same fields, in whatever order and spelling."""
    raw = {field_name(key): value for key, value in case.where.value.items()}
    apart = case.quarantine
    said = {
        "case": case.name,
        "vars": dict(case.variables),
        "messages": [message.as_dict() for message in case.messages],
        "was": case.was,
        "checks": [_check(spec) for spec in case.checks],
        "threshold": case.threshold,
        "tags": list(case.tags),
        "cluster": case.cluster,
        "quarantine": {key.replace("_", " "): value for key, value in asdict(apart).items()} if apart else None,
        "note": None if raw.get("note") is None else _plain(raw["note"]),
        "origin": raw.get("origin"),
    }
    fields = {key: value for key, value in said.items() if value not in (None, {}, [])}
    fields |= {"expect": case.expect} if case.has_expect else {}
    return fields | ({"should_be": case.should_be} if case.has_wish else {})


def _plain(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(spec: CheckSpec) -> dict[str, Json]:
    weight = int(spec.weight) if spec.weight == int(spec.weight) else spec.weight
    return {
        module_name(spec.name).replace("_", " "): spec.argument,
        **({"reading": spec.reading} if spec.reading else {}),
        **({"weight": weight} if weight != 1 else {}),
    }


def same(one: Json, other: Json) -> bool:
    """Whether two values are the same data, to the text of each number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    kinds = (str, bool, dict, list)
    return all(isinstance(one, kind) is isinstance(other, kind) for kind in kinds) and str(one) == str(other)


def table_of(entries: Sequence[Entry], variables: Iterable[str] = (), *, csv: bool = False) -> Table:
    """The table of cases, with a column at least for each of `variables`.

    Raises ValueError, with the case's name, for a case that no sheet can hold.
    """
    return _Layout(entries, variables, partial(_written, csv=csv)).table


class _Layout:
    """Which columns the cases need."""

    def __init__(self, entries: Sequence[Entry], variables: Iterable[str], write: Callable[..., Content]) -> None:
        self._write = write
        self._split = {
            "vars": _names(entries, "vars", variables),
            "expect": _names(entries, "expect"),
            "quarantine": _QUARANTINE if any("quarantine" in entry.fields for entry in entries) else (),
        }
        self._own = {field: frozenset(names) for field, names in self._split.items()}
        rows = [self._row(entry) for entry in entries]
        needed = set().union(*rows)
        pairs = max([2, *(int(name.partition(" ")[2] or 1) for name in needed if name.startswith("check"))])
        whole_expect = ["expect"] if "expect" in needed or not self._split["expect"] else []
        comment = [COMMENT] if not entries or any(entry.comment is not None for entry in entries) else []
        headings = [
            "case",
            *(["vars"] if "vars" in needed else []),
            *(f"vars.{name}" for name in self._split["vars"]),
            *whole_expect,
            *(f"expect.{name}" for name in self._split["expect"]),
            *(f"{half}{_number(index)}" for index in range(pairs) for half in ("check", "value")),
            *(name.replace("_", " ") for name in _OF_THE_REST if name.replace("_", " ") in needed),
            "tags",
            *(f"quarantine.{name}" for name in self._split["quarantine"]),
            "note",
            *comment,
        ]
        self.table = Table(headings, [[cells.get(heading, "") for heading in headings] for cells in rows])

    def _row(self, entry: Entry) -> dict[str, Content]:
        try:
            return self._cells(entry)
        except ValueError as error:
            raise ValueError(f"the case '{entry.fields['case']}' cannot stand in a sheet: {error}") from None

    def _cells(self, entry: Entry) -> dict[str, Content]:
        cells: dict[str, Content] = {COMMENT: self._write(entry.comment, "text", COMMENT)} if entry.comment else {}
        for field, value in entry.fields.items():
            if field == "checks":
                cells |= self._checks(value)
            elif field in SPLIT and isinstance(value, dict) and value and value.keys() <= self._own[field]:
                for name, item in value.items():
                    cells[f"{field}.{name}"] = self._write(item, "value", name)
            else:
                cells[field.replace("_", " ")] = self._write(value, KINDS[field], field)
        return cells

    def _checks(self, checks: Sequence[dict[str, Json]]) -> dict[str, Content]:
        first = len(checks)
        while first and len(checks) - first < _MOST_PAIRS and len(checks[first - 1]) == 1:
            first -= 1
        cells: dict[str, Content] = {}
        if first:
            cells["checks"] = self._write(list(checks[:first]), "yaml", "checks")
        for index, check in enumerate(checks[first:]):
            [(name, argument)] = check.items()
            cells[f"check{_number(index)}"] = self._write(name, "text", "check")
            if argument is not None:
                cells[f"value{_number(index)}"] = self._write(argument, "value", "value")
        return cells


def _number(index: int) -> str:
    return f" {index + 1}" if index else ""


def _names(entries: Sequence[Entry], field: str, names: Iterable[str] = ()) -> Sequence[str]:
    """The names in the mappings of a field that can head a column; none where they are too many for that."""
    found = dict.fromkeys(name for name in names if _heads(name))
    for entry in entries:
        value = entry.fields.get(field)
        if isinstance(value, dict) and all(map(_heads, value)):
            found.update(dict.fromkeys(value))
    return list(found) if len(found) <= _MOST_NAMES else ()


def _heads(name: str) -> bool:
    return bool(name) and name == name.strip() and len(name) <= 200 and not (_UNSAFE.search(name) or "\n" in name)


_NOWHERE = Location("")


def _written(value: Json, kind: str, field: str, *, csv: bool) -> Content:
    """What a cell holds so that it is read as `value`. Raises ValueError for a text that YAML cannot hold."""
    if kind == "yaml":
        return _yaml(value)
    if kind == "list":
        plain = ", ".join(value)
        return plain if _reads(plain, kind, value) and not (csv and _RETYPED.match(plain)) else in_braces(value)
    if isinstance(value, str):
        opens = field in SPLIT and value.startswith(("{", "["))
        retyped = csv and _RETYPED.match(value)
        return value if not (opens or retyped) and _reads(value, kind, value) else _quoted(value)
    if isinstance(value, bool) or (type(value) is int and abs(value) < _LARGEST_INT):
        return as_json(value) if csv else value
    return as_json(value)


def _reads(text: str, kind: str, value: Json) -> bool:
    """Whether a cell with a text is read as a value."""
    if not text.strip() or _UNSAFE.search(text):
        return False
    read = read_cell(Cell(text, _NOWHERE), kind, Diagnostics())  # type: ignore[arg-type]
    return type(read) is type(value) and bool(read == value)


def _quoted(text: str) -> str:
    # The ends of lines stay as they are, so that people can read it.
    parts = (escape_surrogates(json.dumps(part, ensure_ascii=False))[1:-1] for part in text.split("\n"))
    return '"' + _UNSAFE.sub(lambda odd: _escaped(odd[0]), "\n".join(parts)) + '"'


def _escaped(odd: str) -> str:
    return f"\\u{ord(odd[0]):04x}{odd[1:]}"


def as_json(value: Json) -> str:
    """Plain data as JSON on one line, with each number as it was written."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{as_json(key)}: {as_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(as_json, value)) + "]"
    if isinstance(value, str):
        return _quoted(value).replace("\n", "\\n")
    return str(value) if isinstance(value, float) else json.dumps(value)


def _yaml(value: Json) -> str:
    if isinstance(value, list) and all(isinstance(item, dict) and item for item in value):
        text = "\n".join(line for item in value for line in item_lines(item, 0))
        read = read_cell(Cell(text, _NOWHERE), "yaml", Diagnostics())
        if same(read, value):
            return text
    return in_braces(value)


def as_csv_cell(content: Content) -> str:
    """A cell's content as text of a CSV file, of which no spreadsheet program makes a formula."""
    return as_cell(str(content))
