"""The cases of a suite as a spreadsheet, for people who do not write YAML, and back."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptbench.core.canonical import lf
from promptbench.core.diagnostics import Diagnostic, Diagnostics
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.types import Json
from promptbench.engine.prepare.cases import CaseBuilder
from promptbench.engine.prepare.options import PrepareOptions, Selection
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.project import Project, input_error
from promptbench.suite.editor import write_whole
from promptbench.suite.sheet_changes import SheetCases, changed_files, changes_of, known_cases
from promptbench.suite.sheet_marks import annotate_sheet
from promptbench.suite.sheets import COMMENT, SheetCase, case_rows
from promptbench.suite.tables import CaseTable, table_of
from promptbench.tables.delimited import escape_formula, write_csv
from promptbench.tables.writer import MAX_CELL_LENGTH, Sheet, write_workbook
from promptbench.workflows.logs.capture import load_valid_suite
from promptbench.workflows.start.explain import check_pages

_SUFFIXES = (".xlsx", ".csv")
# Errors that are printed. The copy of the sheet has all of them.
_MAX_PRINTED = 50
_COPY = re.compile(r"\.errors(-2)?\Z")


@dataclass(frozen=True, slots=True)
class SheetWritten:
    """A spreadsheet with the cases of a suite."""

    path: Path
    cases: int


@dataclass(frozen=True, slots=True)
class SheetImported:
    """What a sheet changed in a suite.

    `missing` are the cases of the suite that are not in the sheet; `removed`, if they were taken out of the suite.
    """

    suite: str
    added: Sequence[str]
    changed: Sequence[str]
    renamed: Sequence[tuple[str, str]]
    missing: Sequence[str]
    removed: bool
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


def export_sheet(project: Project, path: Path, output: Path) -> SheetWritten:
    """Write the cases of a suite, except those from its logs, into a new `.xlsx` or `.csv` file.

    Raises InputError if the file exists, or a sheet cannot hold a case.
    """
    suffix = _suffix(output)
    if output.exists():
        raise InputError(f"{output} already exists", hint="name another file with --output, or delete it")
    file = project.suite_file(path)
    with project.prompts() as store, project.recordings() as runs:
        suite, prompts = load_valid_suite(file, project.shown(file), project.prepare_options(Selection(), store, runs))
    known = known_cases(suite)
    variables = sorted({name for item in prompts for name in item.prompt.missing({})})
    try:
        table = table_of([item.entry for item in known], variables, csv=suffix == ".csv")
    except ValueError as error:
        raise InputError(str(error)) from None
    content = _as_csv(table) if suffix == ".csv" else _as_workbook(table, prompts)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(content)
    except OSError as error:
        raise EnvironmentFailure(f"cannot write {output}: {error.strerror}") from None
    return SheetWritten(output, len(known))


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise InputError(f"unknown spreadsheet format: {path}", hint="name a .xlsx or .csv file")
    return suffix


def _as_csv(table: CaseTable) -> bytes:
    rows = [[escape_formula(str(cell)) for cell in row] for row in (table.headings, *table.rows)]
    # The byte order mark makes spreadsheet programs read it as UTF-8.
    return write_csv(rows).encode("utf-8-sig")


def _as_workbook(table: CaseTable, prompts: Sequence[Variant]) -> bytes:
    for row in table.rows:
        for heading, content in zip(table.headings, row, strict=True):
            if isinstance(content, str) and len(content) > MAX_CELL_LENGTH:
                message = f"the case '{row[0]}' has more than {MAX_CELL_LENGTH:,} characters under '{heading}'"
                raise InputError(f"{message}, which a workbook cannot hold", hint="write a .csv file")
    pages = check_pages()
    names = [page.name for page in pages]
    choices = {index: names for index, heading in enumerate(table.headings) if re.fullmatch(r"check( \d+)?", heading)}
    for heading, texts in _choices(prompts):
        if heading in table.headings:
            choices[table.headings.index(heading)] = texts
    notes = {index: text for index, heading in enumerate(table.headings) if (text := _note(heading))}
    checks = [[page.name, page.summary, page.example.strip()] for page in pages]
    return write_workbook(
        [
            Sheet("cases", table.headings, table.rows, choices, notes),
            Sheet("checks", ["name", "what it checks", "in a suite file"], checks),
        ]
    )


def _choices(prompts: Sequence[Variant]) -> Iterator[tuple[str, list[str]]]:
    """Yield the columns whose texts the first prompt's schemas list, with these texts."""
    for item in prompts[:1]:
        for prefix, schema in (("expect", item.prompt.output_schema), ("vars", item.prompt.input_schema)):
            fields = (schema or {}).get("properties")
            for name, field in fields.items() if isinstance(fields, Mapping) else ():
                texts = field.get("enum") if isinstance(field, Mapping) else None
                if isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts):
                    yield f"{prefix}.{name}", texts


_NOTES = {
    "case": "The name of the case. Each has its own.",
    "expect": "The whole answer that is expected.",
    "check": "A check of this case alone, from the list. The sheet 'checks' describes each one.",
    "value": "The argument of the check to the left, such as the text that must be there.",
    "tags": "Words with commas between them, such as: critical, captured",
    "was": "The wrong answer that the model gave.",
    "should be": "An answer that must pass.",
    "note": "Anything that others should know. It changes nothing.",
    COMMENT: "The comment above the case in the suite file. It changes nothing.",
}


def _note(heading: str) -> str | None:
    if heading.startswith("vars."):
        return f"The value of {{{{{heading[5:]}}}}} in the prompt."
    if heading.startswith("expect."):
        return f"The expected value of the field '{heading[7:]}'. Empty: anything."
    return _NOTES.get(re.sub(r" \d+\Z", "", heading))


def import_sheet(
    project: Project, sheet: Path, path: Path, *, remove: bool = False, dry_run: bool = False
) -> SheetImported:
    """Write the changes that a spreadsheet makes to the cases of a suite into its files. All other lines stay.

    Args:
        remove: Remove the cases that are not in the sheet from the suite.
        dry_run: Write nothing.

    Raises:
        InputError: The sheet has errors. A copy of it shows each one at its cell.
    """
    _suffix(sheet)
    file = project.suite_file(path)
    shown = project.shown(file)
    with project.prompts() as store, project.recordings() as runs:
        options = project.prepare_options(Selection(), store, runs)
        suite, prompts = load_valid_suite(file, shown, options)
        known = known_cases(suite)
        diagnostics = Diagnostics()
        cases = SheetCases(_rows(sheet, diagnostics))
        CaseBuilder(replace(suite, cases=cases), prompts, diagnostics, options).validate()
        changes = changes_of(known, cases, diagnostics)
        diagnostics = _with_hints_for_sheets(diagnostics)
        if diagnostics.errors:
            raise _error(sheet, diagnostics, write_copy=not dry_run)
        files = changed_files(suite, changes, remove=remove)
        if not dry_run:
            _write(files, file, shown, options)
    folder = Path(suite.document.source.path).parent
    shown_files = {(folder / path.relative_to(suite.folder)).as_posix(): texts for path, texts in files.items()}
    return SheetImported(
        suite=suite.document.source.path,
        added=[str(change.data["case"]) for change in changes.added],
        changed=[old.case.name for old, _ in changes.changed],
        renamed=changes.renamed,
        missing=[item.case.name for item in changes.missing],
        removed=remove,
        unchanged=changes.unchanged,
        diff="".join(_diff(name, *texts) for name, texts in shown_files.items()),
        written=bool(files) and not dry_run,
        warnings=diagnostics.warnings,
    )


def _rows(sheet: Path, diagnostics: Diagnostics) -> list[SheetCase]:
    try:
        sheet.open("rb").close()
        rows = [row for row in case_rows(sheet, sheet.as_posix(), diagnostics) if row]
    except OSError as error:
        raise InputError(f"cannot read {sheet}: {error.strerror}") from None
    if not rows and not diagnostics.errors:
        raise InputError(f"{sheet} has no cases", hint="write a case into a row below the headings")
    return rows


_MISSING_VARIABLE = re.compile(r"has no value for \{\{(.+?)\}\}")


def _with_hints_for_sheets(diagnostics: Diagnostics) -> Diagnostics:
    """Return the diagnostics with hints about columns where they are about lines of a suite file."""
    result = Diagnostics()
    for item in diagnostics:
        name = _MISSING_VARIABLE.search(item.message)
        if name and (item.hint or "").startswith("add "):
            item = replace(item, hint=f"write it under vars.{name[1]}")  # noqa: PLW2901
        result.extend([item])
    return result


def _error(sheet: Path, diagnostics: Diagnostics, *, write_copy: bool) -> InputError:
    """Return the error for a sheet with errors, after writing the copy that shows them at their cells."""
    errors = diagnostics.errors
    copy = annotate_sheet(sheet, sheet.as_posix(), list(dict.fromkeys(errors))) if write_copy else None
    printed = Diagnostics()
    printed.extend(errors[:_MAX_PRINTED])
    hint = None
    if copy is not None:
        target = _copy_of(sheet)
        try:
            target.write_bytes(copy)
            hint = f"{target} shows each at its cell: fix them there or in {sheet.name}, and import that file"
        except OSError as error:
            hint = f"cannot write a copy that shows each at its cell: {error.strerror}"
    return InputError(input_error(diagnostics).message, hint=hint, diagnostics=printed)


def _copy_of(sheet: Path) -> Path:
    """Return the path of the copy, which is never the sheet itself: that may be open, and belongs to its author."""
    stem = _COPY.sub("", sheet.stem)
    target = sheet.with_name(f"{stem}.errors{sheet.suffix}")
    return target if target != sheet else sheet.with_name(f"{stem}.errors-2{sheet.suffix}")


def _write(files: Mapping[Path, tuple[bytes, bytes]], file: Path, shown: str, options: PrepareOptions) -> None:
    for target, (_, after) in files.items():
        if target == file:
            # The new file is validated before it replaces the old one.
            write_whole(target, after, lambda new: load_valid_suite(new, shown, options))
        else:
            write_whole(target, after)


def _diff(shown: str, before: bytes, after: bytes) -> str:
    old, new = (_lines(raw) for raw in (before, after))
    # difflib is slow on large files, and these differ in few lines: skip the lines that are the same at the start.
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    start = max(0, start - 3)
    lines = difflib.unified_diff(old[start:], new[start:], f"a/{shown}", f"b/{shown}", lineterm="")
    return "".join(f"{_HUNK.sub(lambda match: _moved(match, start), line)}\n" for line in lines)


_HUNK = re.compile(r"\A@@ -(\d+)(.*?) \+(\d+)(.*)\Z", re.DOTALL)


def _moved(match: re.Match[str], by: int) -> str:
    return f"@@ -{int(match[1]) + by}{match[2]} +{int(match[3]) + by}{match[4]}"


def _lines(raw: bytes) -> list[str]:
    text = lf(raw.decode("utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"))
    return text.removesuffix("\n").split("\n")
