"""What a spreadsheet changes in the cases of a suite, and the files of the suite with these changes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from promptbench.core.canonical import canonical
from promptbench.core.errors import Code, Diagnostics, InputError, Location, Severity
from promptbench.core.types import Json
from promptbench.suite.cases import read_case
from promptbench.suite.editor import Change, comments_above, edit_cases, edit_lines
from promptbench.suite.file import field_name, is_case_file
from promptbench.suite.models import Case, Common, Suite, Where
from promptbench.suite.sheets import SheetCase
from promptbench.suite.tables import CaseEntry, Fields, fields_of, is_same_data


class SheetCases:
    """The rows of a sheet in place of a suite's cases, so that every check of cases also checks them."""

    def __init__(self, rows: Sequence[SheetCase], common: Common) -> None:
        self._rows = rows
        self._common = common
        self.numbers: dict[str, int] = {}
        self.read: list[tuple[SheetCase, Case]] = []

    def scan(self, diagnostics: Diagnostics) -> Iterator[Case]:
        """Yield every valid case. Errors, also those of duplicate names, go to `diagnostics`."""
        self.numbers, self.read = {}, []
        for row in self._rows:
            case = read_case(row.value, Where(row), diagnostics, self._common)
            if case is None:
                continue
            if case.name in self.numbers:
                first = self.read[self.numbers[case.name]][0].location(("case",))
                diagnostics.add(
                    Code.DUPLICATE_NAME,
                    f"two cases are named '{case.name}': at {first} and {row.location(('case',))}",
                    row.location(("case",)),
                    hint="give each case a name of its own",
                    related=first,
                )
            self.numbers.setdefault(case.name, len(self.read))
            self.read.append((row, case))
            yield case

    def __getitem__(self, name: str) -> Case:
        return self.read[self.numbers[name]][1]


@dataclass(frozen=True)
class KnownCase:
    """A case of the suite, which is the entry `number`, counted from 0, of the suite file or of a case file."""

    case: Case
    path: Path
    number: int
    comment: str | None

    @cached_property
    def fields(self) -> Fields:
        return fields_of(self.case)

    @property
    def entry(self) -> CaseEntry:
        return CaseEntry(self.fields, self.comment)

    @property
    def read_only(self) -> bool:
        """True for a case in a spreadsheet or YAML file next to the suite, which is not rewritten."""
        return self.comment is None and self.path.suffix.lower() != ".jsonl"


def known_cases(suite: Suite) -> list[KnownCase]:
    """Return the cases in the files of a valid suite, in order. Cases from its logs are not among them."""
    comments = comments_above(suite.document.source.text)
    shown = Path(suite.document.source.path).parent
    known = []
    for case in suite.cases.scan(Diagnostics()):
        if case.where.document is suite.document:
            number = int(case.where.path[1])
            known.append(KnownCase(case, suite.path, number, comments[number]))
        else:
            location = case.where.location()
            path = suite.folder / Path(location.path.partition("!")[0]).relative_to(shown)
            known.append(KnownCase(case, path, location.line - 1, None))
    return known


@dataclass(slots=True)
class SheetChanges:
    """What a sheet changes. `missing` are cases of the suite that are not in the sheet."""

    added: list[Change] = field(default_factory=list)
    changed: list[tuple[KnownCase, Change]] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    missing: list[KnownCase] = field(default_factory=list)
    unchanged: int = 0


def changes_of(known: Sequence[KnownCase], rows: SheetCases, diagnostics: Diagnostics) -> SheetChanges:
    """Return what the rows, which have been scanned, change. Changes that cannot be written go to `diagnostics`."""
    by_name = {item.case.name: item for item in known}
    in_sheet = {case.name for _, case in rows.read}
    # A row with a new name and the content of a case that is not in the sheet is that case, renamed.
    gone = {_content(item.fields): item for item in known if item.case.name not in in_sheet}
    times = Counter(_content(item.fields) for item in known if item.case.name not in in_sheet)
    changes, found = SheetChanges(), set()
    for row, case in rows.read:
        fields = fields_of(case)
        content = _content(fields)
        old = by_name.get(case.name) or (gone.pop(content, None) if times[content] == 1 else None)
        if old is None:
            changes.added.append(Change(_with_spaces(row.value), row.comment or ""))
            continue
        found.add(old.case.name)
        location = row.location(("case",))
        data = merge_case(old, row.value, fields)
        comment = None if row.comment == (old.comment or "") else row.comment
        if comment and old.comment is None:
            diagnostics.add(
                Code.BAD_VALUE,
                f"the comment of '{case.name}' is lost: {old.path.name} cannot hold comments",
                location,
                hint="write it under 'note'",
                severity=Severity.WARNING,
            )
            comment = None
        if comment is None and is_same_data(data, old.case.where.value):
            changes.unchanged += 1
        elif old.read_only:
            diagnostics.add(
                Code.BAD_VALUE,
                f"the case '{case.name}' is in {old.path.name}",
                location,
                hint="change it there, or remove the row here",
            )
        else:
            if case.name != old.case.name:
                changes.renamed.append((old.case.name, case.name))
            changes.changed.append((old, Change(data, comment)))
    changes.missing = [item for item in known if item.case.name not in found]
    return changes


def _content(fields: Fields) -> str:
    return canonical({key: value for key, value in fields.items() if key != "case"})


def _with_spaces(written: Mapping[str, Json]) -> dict[str, Json]:
    return {key.replace("_", " "): value for key, value in written.items()}


def merge_case(old: KnownCase, written: Mapping[str, Json], fields: Fields) -> dict[str, Json]:
    """Return a case as it will be written: values that do not change stay as their author wrote them.

    `written` is its new content by field, and `fields` the same in the form that equal cases have.
    """
    data: dict[str, Json] = {}
    for key, value in old.case.where.value.items():
        name = field_name(key)
        if (name in old.fields) == (name in fields) and is_same_data(old.fields.get(name), fields.get(name)):
            data[key] = value
        elif name in fields:
            new = written[name]
            both = isinstance(value, dict) and isinstance(new, dict)
            data[key] = {**{inner: new[inner] for inner in value if inner in new}, **new} if both else new
    names = {field_name(key) for key in data}
    return data | _with_spaces({key: value for key, value in written.items() if key not in names})


def changed_files(suite: Suite, changes: SheetChanges, *, remove: bool) -> dict[Path, tuple[bytes, bytes]]:
    """Return the files that change, each before and after, the suite file last.

    Raises InputError if the layout of a file does not allow the change.
    """
    edits: dict[Path, dict[int, Change | None]] = {}
    for old, change in changes.changed:
        edits.setdefault(old.path, {})[old.number] = change
    for old in changes.missing if remove else ():
        if old.read_only:
            raise InputError(f"the case '{old.case.name}' is in {old.path.name}", hint="remove it there")
        edits.setdefault(old.path, {})[old.number] = None
    target = _target_of_new_cases(suite) if changes.added else suite.path
    files = {}
    for path in sorted({*edits, *([target] if changes.added else [])}, key=lambda path: path == suite.path):
        before = path.read_bytes()
        added = changes.added if path == target else ()
        edit = partial(edit_cases, shown=suite.document.source.path) if path == suite.path else edit_lines
        after = edit(before, changes=edits.get(path, {}), added=added)
        if after != before:
            files[path] = before, after
    return files


def _target_of_new_cases(suite: Suite) -> Path:
    listed = suite.document.value.get("cases")
    if not is_case_file(listed):
        return suite.path
    if not listed.lower().endswith(".jsonl") or any(char in listed for char in "*?["):
        location = Location(suite.document.source.path)
        raise InputError(f"the cases of {location} are in {listed}", hint="write the new ones there")
    return suite.path.parent / str(listed)
