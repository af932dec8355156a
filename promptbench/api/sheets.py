"""The cases of a suite as a spreadsheet, for people who do not write YAML, and back."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptbench.api.capturing import sound_suite
from promptbench.api.explaining import check_pages
from promptbench.api.workspace import Selection, Workspace, mistakes
from promptbench.core.canonical import lf
from promptbench.core.diagnostics import Diagnostic, Diagnostics
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.types import Json
from promptbench.formats.workbook_writer import MOST_CHARACTERS, Page, workbook
from promptbench.project.assemble import Surroundings
from promptbench.project.cases import CaseBuilder, PromptInPlay
from promptbench.suite.models import Suite
from promptbench.suite.sheet_changes import RowCases, SheetChanges, changed_files, changes_of, known_cases
from promptbench.suite.sheet_marks import with_mistakes
from promptbench.suite.sheets import COMMENT, CaseRow, case_rows
from promptbench.suite.tables import Table, as_csv_cell, table_of
from promptbench.suite.writer import write_whole

KINDS = (".xlsx", ".csv")
_MOST_TOLD = 50
"""So many mistakes are printed; all are in the copy of the sheet."""
_COPY = re.compile(r"\.mistakes(-2)?\Z")


@dataclass(frozen=True, slots=True)
class SheetWritten:
    """A suite's cases in a spreadsheet."""

    path: Path
    cases: int


@dataclass(frozen=True, slots=True)
class SheetImported:
    """What a sheet changed in a suite. `missing` are the suite's cases that the sheet does not have."""

    suite: str
    added: Sequence[str]
    changed: Sequence[str]
    renamed: Sequence[tuple[str, str]]
    missing: Sequence[str]
    removed: bool
    """Whether the missing ones were taken out of the suite."""
    unchanged: int
    diff: str
    written: bool
    warnings: Sequence[Diagnostic]

    def as_dict(self) -> dict[str, Json]:
        return {
            "schema_version": 1,
            "suite": self.suite,
            "written": self.written,
            "added": list(self.added),
            "changed": list(self.changed),
            "renamed": [{"from": old, "to": new} for old, new in self.renamed],
            "missing": list(self.missing),
            "removed": self.removed,
            "unchanged": self.unchanged,
            "diff": self.diff,
        }


def export_sheet(workspace: Workspace, path: Path, output: Path) -> SheetWritten:
    """Writes the cases of a suite into a new `.xlsx` or `.csv` file. Those of its logs are not among them.

    Raises InputError when the file is there already, or a case does not fit into a sheet.
    """
    kind = _kind(output)
    if output.exists():
        raise InputError(f"{output} is there already", hint="name another file with --output, or delete it")
    file = workspace.suite_file(path)
    with workspace.prompts() as store, workspace.recordings() as runs:
        suite, prompts = sound_suite(file, workspace.shown(file), workspace.surroundings(Selection(), store, runs))
    known = known_cases(suite)
    variables = sorted({name for item in prompts for name in item.prompt.missing({})})
    try:
        table = table_of([item.entry for item in known], variables, csv=kind == ".csv")
    except ValueError as error:
        raise InputError(str(error)) from None
    content = _as_csv(table) if kind == ".csv" else _as_workbook(table, prompts)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(content)
    except OSError as error:
        raise EnvironmentFailure(f"{output} cannot be written: {error.strerror}") from None
    return SheetWritten(output, len(known))


def _kind(path: Path) -> str:
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise InputError(f"{path} is no spreadsheet by its name", hint="name a .xlsx or .csv file")
    return kind


def _as_csv(table: Table) -> bytes:
    text = io.StringIO()
    rows = [table.headings, *table.rows]
    csv.writer(text, lineterminator="\r\n").writerows([as_csv_cell(cell) for cell in row] for row in rows)
    # By the mark, a spreadsheet program knows that it is UTF-8.
    return text.getvalue().encode("utf-8-sig")


def _as_workbook(table: Table, prompts: Sequence[PromptInPlay]) -> bytes:
    for row in table.rows:
        for heading, content in zip(table.headings, row, strict=True):
            if isinstance(content, str) and len(content) > MOST_CHARACTERS:
                message = f"the case '{row[0]}' has more than {MOST_CHARACTERS:,} characters under '{heading}'"
                raise InputError(f"{message}, which no workbook can hold", hint="write a .csv file")
    pages = check_pages()
    names = [page.name for page in pages]
    choices = {index: names for index, heading in enumerate(table.headings) if re.fullmatch(r"check( \d+)?", heading)}
    choices |= {table.headings.index(name): texts for name, texts in _choices(prompts) if name in table.headings}
    about = {index: text for index, heading in enumerate(table.headings) if (text := _about(heading))}
    checks = [[page.name, page.summary, page.example.strip()] for page in pages]
    return workbook(
        [
            Page("cases", table.headings, table.rows, choices, about),
            Page("checks", ["name", "what it looks at", "in a suite file"], checks),
        ]
    )


def _choices(prompts: Sequence[PromptInPlay]) -> Iterator[tuple[str, list[str]]]:
    """The texts that a field of the answer, or a variable, has by the prompts' own schemas."""
    for item in prompts[:1]:
        for prefix, schema in (("expect", item.prompt.output_schema), ("vars", item.prompt.input_schema)):
            fields = (schema or {}).get("properties")
            for name, field in fields.items() if isinstance(fields, Mapping) else ():
                texts = field.get("enum") if isinstance(field, Mapping) else None
                if isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts):
                    yield f"{prefix}.{name}", texts


_ABOUT = {
    "case": "The name of the case. Each has its own.",
    "expect": "The whole answer that should come back.",
    "check": "A check of this case alone, from the list; the sheet 'checks' says what each is for.",
    "value": "What the check beside it is given, such as the text that must be there.",
    "tags": "Words with commas between them, such as: critical, captured",
    "was": "The answer that came back and was wrong.",
    "should be": "An answer that must pass.",
    "note": "Anything that others should know. It changes nothing.",
    COMMENT: "What stands above the case in the suite file. It changes nothing.",
}


def _about(heading: str) -> str | None:
    if heading.startswith("vars."):
        return f"What goes in for {{{{{heading[5:]}}}}} of the prompt."
    if heading.startswith("expect."):
        return f"What should come back in the field '{heading[7:]}'. Empty: anything."
    return _ABOUT.get(re.sub(r" \d+\Z", "", heading))


def import_sheet(
    workspace: Workspace, sheet: Path, path: Path, *, remove: bool = False, dry_run: bool = False
) -> SheetImported:
    """Brings what a spreadsheet says of the cases into the suite's files; what it does not change stays as written.

    Cases that are not in the sheet stay too, unless they are to be removed. Raises InputError, and writes a copy of the
    sheet with each mistake at its cell, when there are any.
    """
    _kind(sheet)
    file = workspace.suite_file(path)
    shown = workspace.shown(file)
    with workspace.prompts() as store, workspace.recordings() as runs:
        around = workspace.surroundings(Selection(), store, runs)
        suite, prompts = sound_suite(file, shown, around)
        known = known_cases(suite)
        found = Diagnostics()
        cases = RowCases(_rows(sheet, found))
        looked_at = replace(suite, cases=cases)
        builder = CaseBuilder(
            looked_at,
            prompts,
            found,
            has_baseline=True,
            root=around.root,
            allowed_code=around.allowed_code,
            ladder=around.ladder,
        )
        builder.scan((), lambda _: False, lambda _: None)
        changes = changes_of(known, cases, found)
        found = _as_of_sheet(found)
        _refuse(sheet, found, write=not dry_run)
        files = changed_files(suite, changes, remove=remove)
        if not dry_run:
            _write(files, file, shown, around)
    return _imported(suite, changes, files, found, removed=remove, written=bool(files) and not dry_run)


def _rows(sheet: Path, found: Diagnostics) -> list[CaseRow]:
    shown = sheet.as_posix()
    try:
        sheet.open("rb").close()
        rows = [row for row in case_rows(sheet, shown, found) if row]
    except OSError as error:
        raise InputError(f"{sheet} cannot be read: {error.strerror}") from None
    if not rows and not found.errors:
        raise InputError(f"{sheet} has no cases", hint="a row below the headings is a case")
    return rows


_VARIABLE = re.compile(r"has no value for \{\{(.+?)\}\}")


def _as_of_sheet(found: Diagnostics) -> Diagnostics:
    """The same, with hints that speak of columns where they would speak of lines of a suite file."""
    told = Diagnostics()
    for item in found:
        name = _VARIABLE.search(item.message)
        adds = name and (item.hint or "").startswith("add ")
        told.extend([replace(item, hint=f"write it under vars.{name[1]}") if name and adds else item])
    return told


def _refuse(sheet: Path, found: Diagnostics, *, write: bool) -> None:
    """Raises InputError where the sheet has mistakes, which a copy of it then shows at their cells."""
    errors = found.errors
    if not errors:
        return
    copy = with_mistakes(sheet, sheet.as_posix(), list(dict.fromkeys(errors))) if write else None
    told = Diagnostics()
    told.extend(errors[:_MOST_TOLD])
    hint = None
    if copy is not None:
        target = _copy_of(sheet)
        try:
            target.write_bytes(copy)
            hint = f"{target} shows each at its cell; mend them there, or in {sheet.name}, and import that"
        except OSError as error:
            hint = f"a copy that shows them at their cells cannot be written: {error.strerror}"
    raise InputError(mistakes(found).message, hint=hint, diagnostics=told)


def _copy_of(sheet: Path) -> Path:
    """Never the sheet itself, which may be open, and is its author's."""
    stem = _COPY.sub("", sheet.stem)
    target = sheet.with_name(f"{stem}.mistakes{sheet.suffix}")
    return target if target != sheet else sheet.with_name(f"{stem}.mistakes-2{sheet.suffix}")


def _write(files: Mapping[Path, tuple[bytes, bytes]], file: Path, shown: str, around: Surroundings) -> None:
    for target, (_, after) in files.items():
        if target == file:
            # The whole new file is read as any command will read it: with a mistake in it, the old one stays.
            write_whole(target, after, lambda new: sound_suite(new, shown, around))
        else:
            write_whole(target, after)


def _imported(
    suite: Suite,
    changes: SheetChanges,
    files: Mapping[Path, tuple[bytes, bytes]],
    found: Diagnostics,
    *,
    removed: bool,
    written: bool,
) -> SheetImported:
    folder = Path(suite.document.source.path).parent
    return SheetImported(
        suite=suite.document.source.path,
        added=[str(data["case"]) for data, _ in changes.added],
        changed=[old.case.name for old, _ in changes.changed],
        renamed=changes.renamed,
        missing=[item.case.name for item in changes.missing],
        removed=removed,
        unchanged=changes.unchanged,
        diff="".join(
            _diff((folder / path.relative_to(suite.folder)).as_posix(), *texts) for path, texts in files.items()
        ),
        written=written,
        warnings=found.warnings,
    )


def _diff(shown: str, before: bytes, after: bytes) -> str:
    old, new = (_lines(raw) for raw in (before, after))
    # What is the same at both ends is most of a large file, and need not be compared with anything.
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    start = max(0, start - 3)
    parts = difflib.unified_diff(old[start:], new[start:], f"a/{shown}", f"b/{shown}", lineterm="")
    return "".join(f"{_moved(line, start)}\n" for line in parts)


_HUNK = re.compile(r"@@ -(\d+)(.*?) \+(\d+)(.*)")


def _moved(line: str, by: int) -> str:
    """A line of a diff, with the numbers of lines as they are in the whole files."""
    found = _HUNK.fullmatch(line)
    return f"@@ -{int(found[1]) + by}{found[2]} +{int(found[3]) + by}{found[4]}" if found else line


def _lines(raw: bytes) -> list[str]:
    text = lf(raw.decode("utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"))
    return text.removesuffix("\n").split("\n")
