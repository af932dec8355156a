"""Cases as a table for a spreadsheet, which `sheets` reads back as the same cases."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from promptbench.core.canonical import escape_surrogates
from promptbench.core.errors import Diagnostics, Location
from promptbench.core.plugins import module_name
from promptbench.core.types import Json
from promptbench.suite.cases import read_checks
from promptbench.suite.file import field_name
from promptbench.suite.models import Case, WrittenCheck
from promptbench.suite.sheets import COMMENT, KINDS, SOURCES, SPLIT, read_cell
from promptbench.tables.grid import GridCell
from promptbench.yaml.text import in_braces, item_lines

# The content of a cell; "" if it is empty.
Content = str | int | bool
# What a case sets, by field, however its author wrote it.
Fields = Mapping[str, Json]

# The last checks of a case have two columns each. Those before them are YAML in one cell.
_MAX_PAIRS = 4
# With more different variables, or fields of the answer, each case has all of them in one cell.
_MAX_NAMES = 100
# Spreadsheet programs keep fifteen digits.
_MAX_INT = 10**15
# Characters that a workbook cannot contain, and its own escape sequence for them.
_UNSAFE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|_x[0-9A-Fa-f]{4}_")
# Texts that a spreadsheet program takes for numbers, times or dates when it opens a CSV file.
_RETYPED = re.compile(r"(?=.*\d)[-+\d.,:/%()eE $€£]+\Z|(?i:true|false)\Z")
_OTHER_FIELDS = (
    *(
        "was",
        "should_be",
        "threshold",
        "cluster",
        "checks",
        "messages",
        "turns",
        "repeats",
        "only_models",
        "skip",
        "origin",
        *SOURCES,
    ),
)
_QUARANTINE = ("owner", "reason", "review by")


@dataclass(frozen=True, slots=True)
class CaseEntry:
    """A case for a table; `comment` is None if its file cannot hold one."""

    fields: Fields
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class CaseTable:
    """A table with a case on each row."""

    headings: Sequence[str]
    rows: Sequence[Sequence[Content]]


def fields_of(case: Case) -> Fields:
    """Return what a case sets, not what its suite adds. Equal cases have equal fields, however they are written."""
    raw = {field_name(key): value for key, value in case.where.value.items()}
    quarantine, note = case.quarantine, raw.get("note")
    fields = {
        "case": case.name,
        "vars": raw.get("vars"),
        "files": raw.get("files"),
        "messages": [message.as_dict() for message in case.messages],
        "turns": [
            {
                "user": turn.user,
                **({"expect": turn.expect} if turn.has_expect else {}),
                **({"checks": [_check(spec) for spec in turn.checks]} if turn.checks else {}),
            }
            for turn in case.turns
        ],
        "was": case.was,
        "checks": [_check(spec) for spec in read_checks(raw.get("checks", []), case.where, Diagnostics())],
        "threshold": case.threshold,
        "tags": list(case.tags),
        "cluster": case.cluster,
        "quarantine": {key.replace("_", " "): value for key, value in quarantine.model_dump().items()}
        if quarantine
        else None,
        "repeats": case.repeats,
        "only_models": list(case.only_models),
        "skip": case.skip,
        "note": None if note is None else str(note).lower() if isinstance(note, bool) else str(note),
        "origin": raw.get("origin"),
    }
    fields = {key: value for key, value in fields.items() if value not in (None, {}, [])}
    # `expect: null` is a value, so None cannot stand for its absence.
    fields |= {"expect": case.expect} if case.has_expect else {}
    return fields | ({"should_be": case.should_be} if case.has_wish else {})


def _check(spec: WrittenCheck) -> dict[str, Json]:
    weight = int(spec.weight) if spec.weight == int(spec.weight) else spec.weight
    return {
        module_name(spec.name).replace("_", " "): spec.argument,
        **({"reading": spec.reading} if spec.reading else {}),
        **({"weight": weight} if weight != 1 else {}),
        **({"at": spec.at} if spec.at else {}),
    }


def is_same_data(one: Json, other: Json) -> bool:
    """Return whether two values are the same data, down to the spelling of each number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same_data(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same_data, one, other))
    kinds = (str, bool, dict, list)
    return all(isinstance(one, kind) is isinstance(other, kind) for kind in kinds) and str(one) == str(other)


def table_of(entries: Sequence[CaseEntry], variables: Iterable[str] = (), *, csv: bool = False) -> CaseTable:
    """Return the table of cases, with a column at least for each of `variables`.

    Raises ValueError, with the case's name, for a case that a sheet cannot hold.
    """
    writer = _RowWriter(entries, variables, partial(_written, csv=csv))
    rows: list[dict[str, Content]] = []
    for entry in entries:
        try:
            rows.append(writer.row(entry))
        except ValueError as error:
            raise ValueError(f"a sheet cannot hold the case '{entry.fields['case']}': {error}") from None
    used = set().union(*rows)
    pairs = max([2, *(int(name.partition(" ")[2] or 1) for name in used if name.startswith("check"))])
    whole_expect = "expect" in used or not writer.columns["expect"]
    has_comments = not entries or any(entry.comment is not None for entry in entries)
    headings = [
        "case",
        *(["vars"] if "vars" in used else []),
        *(f"vars.{name}" for name in writer.columns["vars"]),
        *(["files"] if "files" in used else []),
        *(f"files.{name}" for name in writer.columns["files"]),
        *(["expect"] if whole_expect else []),
        *(f"expect.{name}" for name in writer.columns["expect"]),
        *(f"{half}{_number(index)}" for index in range(pairs) for half in ("check", "value")),
        *(heading for name in _OTHER_FIELDS if (heading := name.replace("_", " ")) in used),
        "tags",
        *(f"quarantine.{name}" for name in writer.columns["quarantine"]),
        "note",
        *([COMMENT] if has_comments else []),
    ]
    return CaseTable(headings, [[cells.get(heading, "") for heading in headings] for cells in rows])


class _RowWriter:
    """A writer of cases as cells by heading; `columns` are the keys of each split field that have a column."""

    def __init__(self, entries: Sequence[CaseEntry], variables: Iterable[str], write: Callable[..., Content]) -> None:
        self._write = write
        in_files = {name for entry in entries for name in entry.fields.get("files", ())}
        self.columns: dict[str, Sequence[str]] = {
            "vars": _names(entries, "vars", (name for name in variables if name not in in_files)),
            "files": _names(entries, "files"),
            "expect": _names(entries, "expect"),
            "quarantine": _QUARANTINE if any("quarantine" in entry.fields for entry in entries) else (),
        }
        self._names = {field: frozenset(names) for field, names in self.columns.items()}

    def row(self, entry: CaseEntry) -> dict[str, Content]:
        cells: dict[str, Content] = {COMMENT: self._write(entry.comment, "text", COMMENT)} if entry.comment else {}
        for field, value in entry.fields.items():
            if field == "checks":
                cells |= self._checks(value)
            elif field == "origin" and isinstance(value, dict) and value and value.keys() <= {*SOURCES.values()}:
                written = {name: value[key] for name, key in SOURCES.items() if key in value}
                cells |= {name: self._write(item, "value", name) for name, item in written.items()}
            elif field in SPLIT and isinstance(value, dict) and value and value.keys() <= self._names[field]:
                for name, item in value.items():
                    cells[f"{field}.{name}"] = self._write(item, "value", name)
            else:
                cells[field.replace("_", " ")] = self._write(value, KINDS[field], field)
        return cells

    def _checks(self, checks: Sequence[dict[str, Json]]) -> dict[str, Content]:
        # Only a name with an argument fits into a pair; the order of the checks must stay.
        first = len(checks)
        while first and len(checks) - first < _MAX_PAIRS and len(checks[first - 1]) == 1:
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


def _names(entries: Sequence[CaseEntry], field: str, names: Iterable[str] = ()) -> Sequence[str]:
    found = dict.fromkeys(name for name in names if _is_heading(name))
    for entry in entries:
        value = entry.fields.get(field)
        if isinstance(value, dict) and all(map(_is_heading, value)):
            found.update(dict.fromkeys(value))
    return list(found) if len(found) <= _MAX_NAMES else ()


def _is_heading(name: str) -> bool:
    return bool(name) and name == name.strip() and len(name) <= 200 and not (_UNSAFE.search(name) or "\n" in name)


def _written(value: Json, kind: str, field: str, *, csv: bool) -> Content:
    """Return the content of a cell that is read as `value`. Raises ValueError for a text that YAML cannot hold."""
    if kind == "yaml":
        return _yaml(value)
    if kind == "list":
        plain = ", ".join(value)
        return plain if _is_read_as(plain, kind, value) and not (csv and _RETYPED.match(plain)) else in_braces(value)
    if isinstance(value, str):
        looks_like_data = field in SPLIT and value.startswith(("{", "["))
        is_retyped = csv and _RETYPED.match(value)
        return value if not (looks_like_data or is_retyped) and _is_read_as(value, kind, value) else _quoted(value)
    if isinstance(value, bool) or (type(value) is int and abs(value) < _MAX_INT):
        return as_json(value) if csv else value
    return as_json(value)


def _is_read_as(text: str, kind: str, value: Json) -> bool:
    if not text.strip() or _UNSAFE.search(text):
        return False
    read = read_cell(GridCell(text, Location("")), kind, Diagnostics())  # type: ignore[arg-type]
    return type(read) is type(value) and bool(read == value)


def _quoted(text: str) -> str:
    # Line breaks are not escaped, so that people can read and edit the text.
    parts = (escape_surrogates(json.dumps(part, ensure_ascii=False))[1:-1] for part in text.split("\n"))
    return '"' + _UNSAFE.sub(lambda match: f"\\u{ord(match[0][0]):04x}{match[0][1:]}", "\n".join(parts)) + '"'


def as_json(value: Json) -> str:
    """Return plain data as JSON on one line, with each number as it was written."""
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
        read = read_cell(GridCell(text, Location("")), "yaml", Diagnostics())
        if is_same_data(read, value):
            return text
    return in_braces(value)
