"""What a spreadsheet changes in the cases of a suite, and the suite's files with that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.core.canonical import canonical
from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.errors import InputError
from promptbench.core.types import Json
from promptbench.formats.marked_yaml import Document
from promptbench.suite.cases import read_case
from promptbench.suite.editor import Change, comments_above, edit_cases, edit_lines
from promptbench.suite.file import field_name, is_case_file
from promptbench.suite.models import Case, Suite, Where
from promptbench.suite.sheets import CaseRow
from promptbench.suite.tables import Entry, Fields, fields_of, same


class RowCases:
    """The rows of a sheet as the cases of a suite, so that all that looks at cases looks at them."""

    def __init__(self, rows: Sequence[CaseRow]) -> None:
        self._rows = rows
        self.numbers: dict[str, int] = {}
        self.read: list[tuple[CaseRow, Case]] = []

    def scan(self, found: Diagnostics) -> Iterator[Case]:
        """Every case that is one; what is wrong goes to `found`, also where two have the same name."""
        self.numbers, self.read = {}, []
        for row in self._rows:
            case = read_case(row.value, Where(row), found)
            if case is None:
                continue
            if case.name in self.numbers:
                first = self.read[self.numbers[case.name]][0].location(("case",))
                message = f"two cases are named '{case.name}': at {first} and {row.location(('case',))}"
                hint = "give each a name of its own"
                found.add(Code.DUPLICATE_NAME, message, row.location(("case",)), hint=hint, related=first)
            self.numbers.setdefault(case.name, len(self.read))
            self.read.append((row, case))
            yield case

    def __getitem__(self, name: str) -> Case:
        return self.read[self.numbers[name]][1]


@dataclass(frozen=True, slots=True)
class Home:
    """Where a case stands: an entry of the suite file, or a line of a file beside it. `number` counts from 0."""

    path: Path
    number: int


@dataclass(frozen=True, slots=True)
class Known:
    """A case that the suite has."""

    case: Case
    fields: Fields
    home: Home
    comment: str | None

    @property
    def entry(self) -> Entry:
        return Entry(self.fields, self.comment)


def known_cases(suite: Suite) -> list[Known]:
    """The cases of a sound suite, in order. Those from its logs are not in its files, and not among them."""
    comments = comments_above(suite.document.source.text)
    listed = suite.document.value.get("cases")
    files = [item for item in (listed if isinstance(listed, list) else [listed]) if is_case_file(item)]
    folder = Path(suite.document.source.path).parent
    paths = {(folder / name).as_posix(): suite.path.parent / name for name in files}
    found = []
    for case in suite.cases.scan(Diagnostics()):
        comment = None
        if isinstance(case.where.document, Document):
            number = int(case.where.path[1])
            home, comment = Home(suite.path, number), comments[number]
        else:
            location = case.where.location("case")
            home = Home(paths[location.path.partition("!")[0]], location.line - 1)
        found.append(Known(case, fields_of(case), home, comment))
    return found


@dataclass(slots=True)
class SheetChanges:
    """What a sheet changes. `kept` are cases that it does not have."""

    added: list[tuple[Mapping[str, Json], str]] = field(default_factory=list)
    changed: list[tuple[Known, Change]] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    missing: list[Known] = field(default_factory=list)
    unchanged: int = 0


def changes_of(known: Sequence[Known], rows: RowCases, found: Diagnostics) -> SheetChanges:
    """What the rows, which have been scanned, change. What cannot be written goes to `found`."""
    by_name = {item.case.name: item for item in known}
    there = {case.name for _, case in rows.read}
    by_content = _once(item for item in known if item.case.name not in there)
    changes, done = SheetChanges(), set()
    for row, case in rows.read:
        fields = fields_of(case)
        # A row with a new name and all else of a case that is not in the sheet is that case.
        old = by_name.get(case.name) or by_content.pop(_content(fields), None)
        if old is None:
            changes.added.append((_spoken(row.value), row.comment or ""))
            continue
        done.add(old.case.name)
        data = _data(old, row.value, fields)
        comment = None if row.comment == (old.comment or "") else row.comment
        if comment and old.comment is None:
            message = f"{old.home.path.name} has no place for the comment of '{case.name}', which is not kept"
            location = row.location(("case",))
            found.add(Code.BAD_VALUE, message, location, hint="write it under 'note'", severity=Severity.WARNING)
            comment = None
        if comment is None and same(data, old.case.where.value):
            changes.unchanged += 1
            continue
        if old.home.path.suffix.lower() in (".csv", ".xlsx"):
            hint = "change it there, or take the row out here"
            location = row.location(("case",))
            found.add(Code.BAD_VALUE, f"'{case.name}' stands in {old.home.path.name}", location, hint=hint)
            continue
        if case.name != old.case.name:
            changes.renamed.append((old.case.name, case.name))
        changes.changed.append((old, Change(data, comment)))
    changes.missing = [item for item in known if item.case.name not in done]
    return changes


def _once(known: Iterator[Known]) -> dict[str, Known]:
    """The cases by what they say besides their names, as far as only one says it."""
    found: dict[str, list[Known]] = {}
    for item in known:
        found.setdefault(_content(item.fields), []).append(item)
    return {content: items[0] for content, items in found.items() if len(items) == 1}


def _content(fields: Fields) -> str:
    return canonical({key: value for key, value in fields.items() if key != "case"})


def _spoken(written: Mapping[str, Json]) -> dict[str, Json]:
    return {key.replace("_", " "): value for key, value in written.items()}


def _data(old: Known, written: Mapping[str, Json], fields: Fields) -> dict[str, Json]:
    """A case as it is written from now on: what is the same stays as its author wrote it."""
    data: dict[str, Json] = {}
    for key, value in old.case.where.value.items():
        name = field_name(key)
        if (name in old.fields) == (name in fields) and same(old.fields.get(name), fields.get(name)):
            data[key] = value
        elif name in fields:
            data[key] = _in_order(value, written[name])
    names = {field_name(key) for key in data}
    return data | _spoken({key: value for key, value in written.items() if key not in names})


def _in_order(old: Json, new: Json) -> Json:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**{key: new[key] for key in old if key in new}, **new}
    return new


def changed_files(suite: Suite, changes: SheetChanges, *, remove: bool) -> dict[Path, tuple[bytes, bytes]]:
    """The files that change, each before and after, the suite's own last.

    Raises InputError where one is written in a way that it cannot be changed.
    """
    edits: dict[Path, dict[int, Change | None]] = {}
    for old, change in changes.changed:
        edits.setdefault(old.home.path, {})[old.home.number] = change
    for old in changes.missing if remove else ():
        if old.home.path.suffix.lower() in (".csv", ".xlsx"):
            raise InputError(f"'{old.case.name}' stands in {old.home.path.name}", hint="take its row out there")
        edits.setdefault(old.home.path, {})[old.home.number] = None
    target = _home_of_new(suite) if changes.added else suite.path
    files = {}
    for path in sorted({*edits, *([target] if changes.added else [])}, key=lambda path: path == suite.path):
        before = path.read_bytes()
        added = changes.added if path == target else ()
        write = _suite_file if path == suite.path else _json_lines
        after = write(before, suite.document.source.path, edits.get(path, {}), added)
        if after != before:
            files[path] = before, after
    return files


_Added = Sequence[tuple[Mapping[str, Json], str]]
_Write = Callable[[bytes, str, Mapping[int, Change | None], _Added], bytes]


def _suite_file(before: bytes, shown: str, edits: Mapping[int, Change | None], added: _Added) -> bytes:
    return edit_cases(before, shown, edits, [Change(data, comment) for data, comment in added])


def _json_lines(before: bytes, shown: str, edits: Mapping[int, Change | None], added: _Added) -> bytes:
    data = {number: change.data if change else None for number, change in edits.items()}
    return edit_lines(before, data, [item for item, _ in added])


def _home_of_new(suite: Suite) -> Path:
    """Where a new case goes: behind those of the suite file, or into the only file of cases that it names."""
    listed = suite.document.value.get("cases")
    if not is_case_file(listed):
        return suite.path
    if not listed.lower().endswith(".jsonl"):
        location = Location(suite.document.source.path)
        raise InputError(f"the cases of {location} stand in {listed}", hint="write the new ones there")
    return suite.path.parent / str(listed)
