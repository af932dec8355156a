"""Export the cases of a suite to a spreadsheet, for people who do not write YAML, and import them."""

import csv
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from promptbench.core.errors import Code, Diagnostic, Diagnostics, EnvironmentFailure, InputError
from promptbench.core.types import Json
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.project import Project, input_error
from promptbench.suite.labelled import Labelled
from promptbench.suite.sheet_changes import SheetCases, changed_files, changes_of, known_cases
from promptbench.suite.sheets import COMMENT, SheetCase, case_rows
from promptbench.suite.tables import CaseEntry, CaseTable, table_of
from promptbench.tables.delimited import escape_formula, write_csv
from promptbench.tables.grid import MAX_BYTES, csv_delimiter, csv_reader, is_heading, read_grid
from promptbench.tables.workbook import WorkbookError
from promptbench.tables.writer import MAX_CELL_LENGTH, Sheet, annotate_workbook, write_workbook
from promptbench.workflows.logs.valid_suite import open_valid_suite
from promptbench.workflows.start.explain import check_pages
from promptbench.workflows.start.new_case import MISSING_VARIABLE, choices_of
from promptbench.workflows.trust.reviews import (
    CASE_LABELS,
    ReviewersCompared,
    accepted,
    add_marks,
    compare_reviewers,
    read_marks,
)
from promptbench.yaml.source import Source, SourceError, read_source

# Errors that are printed. The copy of the sheet has all of them.
_MAX_PRINTED = 50
_COPY = re.compile(r"\.errors(-2)?\Z")
_NOTES = {
    "case": "The name of the case. Each has its own.",
    "expect": "The whole answer that is expected.",
    "check": "A check of this case alone, from the list. The sheet 'checks' describes each one.",
    "value": "The argument of the check to the left, such as the text that must be there.",
    "tags": "Words with commas between them, such as: critical, captured",
    "was": "The wrong answer that the model gave.",
    "should be": "An answer that must pass.",
    "note": "Anything that others should know. It changes nothing.",
    "review": "yes to take the case, no, or edit if you changed it here. Empty: not reviewed.",
    "reviewer": "Who reviewed it.",
    "source quote": "The sentence of the document that has the answer.",
    COMMENT: "The comment above the case in the suite file. It changes nothing.",
}


@dataclass(frozen=True, slots=True)
class SheetImported:
    """What a sheet changed in a suite. `renamed` is old to new name.

    `missing` are the cases of the suite that are not in the sheet, or that its reviewers do not accept; `removed`, if
    they were taken out of the suite. `reviews` are the rows of a review sheet by label, "" for those without one.
    """

    suite: str
    written: bool
    added: Sequence[str]
    changed: Sequence[str]
    renamed: Sequence[tuple[str, str]]
    missing: Sequence[str]
    removed: bool
    unchanged: int
    diff: str
    warnings: Sequence[Diagnostic]
    reviews: Mapping[str, int] = field(default_factory=dict)
    marks_added: int = 0
    reviewers: Sequence[ReviewersCompared] = ()

    def as_dict(self) -> dict[str, Json]:
        data = {"schema_version": 1, **asdict(replace(self, warnings=()))}
        del data["warnings"]
        return data | {"renamed": [{"from": old, "to": new} for old, new in self.renamed]}


def export_sheet(project: Project, path: Path, output: Path) -> int:
    """Write the cases of a suite, except those from its logs, into a new `.xlsx` or `.csv` file. Return their number.

    Raise InputError if the file exists, or a sheet cannot hold a case.
    """
    check_is_new(output)
    with open_valid_suite(project, path) as opened:
        entries = [item.entry for item in known_cases(opened.suite)]
    write_cases(output, entries, opened.prompts)
    return len(entries)


def check_is_new(output: Path) -> None:
    """Raise InputError if a sheet cannot be written there: it exists, or is neither `.xlsx` nor `.csv`."""
    _suffix(output)
    if output.exists():
        raise InputError(f"{output} already exists", hint="name another file with --output, or delete it")


def write_cases(
    output: Path, entries: Sequence[CaseEntry], prompts: Sequence[Variant], more: Sequence[str] = ()
) -> None:
    """Write cases into a new sheet, with empty columns `more` after the names. Raise InputError if one does not fit."""
    suffix = _suffix(output)
    variables = sorted({name for item in prompts for name in item.prompt.missing({})})
    try:
        table = table_of(entries, variables, csv=suffix == ".csv")
    except ValueError as error:
        raise InputError(str(error)) from None
    first, *rest = table.headings
    table = CaseTable([first, *more, *rest], [[row[0], *[""] * len(more), *row[1:]] for row in table.rows])
    if suffix == ".csv":
        rows = [[escape_formula(str(cell)) for cell in row] for row in (table.headings, *table.rows)]
        # The byte order mark makes spreadsheet programs read it as UTF-8.
        content = write_csv(rows).encode("utf-8-sig")
    else:
        content = _as_workbook(table, prompts)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(content)
    except OSError as error:
        raise EnvironmentFailure(f"cannot write {output}: {error.strerror}") from None


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".xlsx", ".csv"):
        raise InputError(f"unknown spreadsheet format: {path}", hint="name a .xlsx or .csv file")
    return suffix


def _as_workbook(table: CaseTable, prompts: Sequence[Variant]) -> bytes:
    for row in table.rows:
        for heading, content in zip(table.headings, row, strict=True):
            if isinstance(content, str) and len(content) > MAX_CELL_LENGTH:
                message = f"the case '{row[0]}' has more than {MAX_CELL_LENGTH:,} characters under '{heading}'"
                raise InputError(f"{message}, which a workbook cannot hold", hint="write a .csv file")
    pages = check_pages()
    listed = {"review": CASE_LABELS, **dict(_choices(prompts[0]))}
    choices: dict[int, Sequence[str]] = {}
    notes: dict[int, str] = {}
    for index, heading in enumerate(table.headings):
        if re.fullmatch(r"check( \d+)?", heading):
            choices[index] = [page.name for page in pages]
        elif heading in listed:
            choices[index] = listed[heading]
        if note := _note(heading):
            notes[index] = note
    checks = [[page.name, page.summary, page.example.strip()] for page in pages]
    return write_workbook(
        [
            Sheet("cases", table.headings, table.rows, choices, notes),
            Sheet("checks", ["name", "what it checks", "in a suite file"], checks),
        ]
    )


def _choices(item: Variant) -> Iterator[tuple[str, Sequence[str]]]:
    # Columns for which a prompt's schemas list all values.
    for prefix, schema in (("expect", item.prompt.output_schema), ("vars", item.prompt.input_schema)):
        fields = (schema or {}).get("properties")
        for name, values in fields.items() if isinstance(fields, dict) else ():
            if choices := choices_of(values):
                yield f"{prefix}.{name}", choices


def _note(heading: str) -> str | None:
    if heading.startswith("vars."):
        return f"The value of {{{{{heading[5:]}}}}} in the prompt."
    if heading.startswith("expect."):
        return f"The expected value of the field '{heading[7:]}'. Empty: anything."
    return _NOTES.get(re.sub(r" \d+\Z", "", heading))


def import_sheet(
    project: Project, sheet: Path, path: Path, *, remove: bool = False, dry_run: bool = False, reviewer: str = ""
) -> SheetImported:
    """Write the changes that a spreadsheet makes to the cases of a suite into its files. All other lines stay.

    Of a sheet with a column `review`, only the cases are taken that all their reviewers accept, here and in the marks
    next to the suite, to which those of the sheet are added.

    Args:
        project: the project of the suite.
        sheet: a `.xlsx` or `.csv` file.
        path: the suite.
        remove: True to remove the cases that are not in the sheet from the suite; of a review sheet, those that are not
            accepted.
        dry_run: True to write nothing.
        reviewer: who reviewed the rows that do not name anybody.

    Raises:
        InputError: if the sheet has errors. A copy of it shows each one at its cell.
    """
    _suffix(sheet)
    with open_valid_suite(project, path) as opened:
        suite = opened.suite
        known = known_cases(suite)
        diagnostics = Diagnostics()
        rows = _rows(sheet, diagnostics)
        is_review = any(row.reviewed for row in rows)
        earlier = read_marks(suite.folder) if is_review else []
        # Rows without a review in the sheet may have one that was made elsewhere.
        kept = {mark.case: mark for mark in earlier}
        reviews = (
            (row, _take_mark(row, reviewer, diagnostics) or kept.get(str(row.value.get("case")))) for row in rows
        )
        marked = [(row, mark) for row, mark in reviews if mark]
        marks = [*earlier, *(mark for _, mark in marked)]
        verdicts = accepted(marks)
        there = {item.case.name: item for item in known}
        if is_review:
            taken = [(row, mark) for row, mark in marked if verdicts[mark.case]]
            # What is in the suite was accepted, perhaps with changes of another reviewer: only a new edit changes it.
            edits = [mark for _, mark in marked if mark.label == "edit" and mark is not kept.get(mark.case)]
            rows = [row for row, mark in taken if mark.case not in there or mark in edits]
        cases = SheetCases(rows, suite.common)
        if rows:
            opened.builder(diagnostics, replace(suite, cases=cases)).validate()
        changes = changes_of(known, cases, diagnostics)
        if is_review:
            changes.unchanged += len(taken) - len(rows)
            changes.missing = [item for item in known if verdicts.get(item.case.name) is False]
        if diagnostics.errors:
            raise _error(sheet, diagnostics, write_copy=not dry_run)
        files = changed_files(suite, changes, remove=remove)
        if not dry_run:
            opened.write_files(files)
        added = add_marks(suite.folder, [mark for _, mark in marked]) if marked and not dry_run else 0
    return SheetImported(
        suite=opened.shown,
        written=bool(files) and not dry_run,
        added=[str(change.data["case"]) for change in changes.added],
        changed=[old.case.name for old, _ in changes.changed],
        renamed=changes.renamed,
        missing=[item.case.name for item in changes.missing],
        removed=remove,
        unchanged=changes.unchanged,
        diff=opened.diff(files),
        warnings=diagnostics.warnings,
        reviews=Counter(mark.label for _, mark in marked) if is_review else {},
        marks_added=added,
        reviewers=compare_reviewers(marks),
    )


def _take_mark(row: SheetCase, reviewer: str, diagnostics: Diagnostics) -> Labelled | None:
    """Take the review out of a row, and return it; None if there is none, or, with an error, an invalid one."""
    label = str(row.value.pop("review", "")).strip().lower()
    name = row.value.pop("reviewer", "") or reviewer
    if not label:
        return None
    location = row.location(("review",))
    if label not in CASE_LABELS:
        diagnostics.add(Code.BAD_VALUE, f"the review is '{label}'", location, hint="write yes, no or edit")
    elif not name:
        hint = "write a name under 'reviewer', or add --reviewer NAME"
        diagnostics.add(Code.MISSING_KEY, "the review has no reviewer", location, hint=hint)
    return Labelled(str(row.value.get("case", "")), label != "no", None, None, label=label, reviewer=name)


def _rows(sheet: Path, diagnostics: Diagnostics) -> list[SheetCase]:
    try:
        sheet.open("rb").close()
        rows = [row for row in case_rows(sheet, sheet.as_posix(), diagnostics) if row]
    except OSError as error:
        raise InputError(f"cannot read {sheet}: {error.strerror}") from None
    if not rows and not diagnostics.errors:
        raise InputError(f"{sheet} has no cases", hint="write a case into a row below the headings")
    return rows


def _error(sheet: Path, diagnostics: Diagnostics, *, write_copy: bool) -> InputError:
    """Return the error for a sheet with errors, after writing the copy that shows them at their cells."""
    errors = []
    for item in dict.fromkeys(diagnostics.errors):
        # Hints for suite files name a line to add; here it is a column.
        name = MISSING_VARIABLE.search(item.message) if (item.hint or "").startswith("add ") else None
        errors.append(replace(item, hint=f"write it under vars.{name[1]}") if name else item)
    copy = annotate_sheet(sheet, sheet.as_posix(), errors) if write_copy else None
    hint = None
    if copy is not None:
        # The copy is never the sheet itself: that may be open, and belongs to its author.
        stem = _COPY.sub("", sheet.stem)
        target = sheet.with_name(f"{stem}.errors{sheet.suffix}")
        target = target if target != sheet else sheet.with_name(f"{stem}.errors-2{sheet.suffix}")
        try:
            target.write_bytes(copy)
            hint = f"{target} shows each at its cell: fix them there or in {sheet.name}, and import that file"
        except OSError as error:
            hint = f"cannot write a copy that shows each at its cell: {error.strerror}"
    return InputError(input_error(diagnostics).message, hint=hint, diagnostics=errors[:_MAX_PRINTED])


# The heading of the column in a CSV file. A column whose heading starts with "#" is not read.
ERRORS = "# errors"


def annotate_sheet(path: Path, shown: str, errors: Sequence[Diagnostic]) -> bytes | None:
    """Return the copy, or None if no error is at a cell or the file cannot be read."""
    try:
        if path.suffix.lower() == ".xlsx":
            return _workbook(path, shown, errors)
        return _csv(read_source(path, shown, max_bytes=MAX_BYTES), path, errors)
    except (WorkbookError, SourceError, csv.Error):
        return None


def _text(item: Diagnostic) -> str:
    return f"{item.message}; {item.hint}" if item.hint else item.message


def _workbook(path: Path, shown: str, errors: Sequence[Diagnostic]) -> bytes | None:
    by_cell: defaultdict[str, list[str]] = defaultdict(list)
    for item in errors:
        if item.location.path.startswith(f"{shown}!"):
            by_cell[item.location.path.rpartition("!")[2]].append(_text(item))
    return annotate_workbook(path, {name: "\n".join(texts) for name, texts in by_cell.items()}) if by_cell else None


def _csv(source: Source, path: Path, errors: Sequence[Diagnostic]) -> bytes:
    records = list(csv_reader(source))
    starts = [start for start, _ in records]
    headers = (cells for _, cells in records if any(is_heading(cell, "case") for cell in cells))
    header = next(headers, records[0][1])
    columns = {
        cell.location: index
        for row in read_grid(path, source.path, Diagnostics(), heading="case")
        # Empty cells share the location of their line: the first one counts.
        for index, cell in reversed(list(enumerate(row)))
    }
    by_record: defaultdict[int, list[str]] = defaultdict(list)
    for item in errors:
        index = columns.get(item.location)
        heading = f"{header[index]}: " if index is not None and index < len(header) and header[index] else ""
        by_record[bisect_right(starts, item.location.line) - 1].append(heading + _text(item))
    # A copy of a copy replaces the column.
    own = header.index(ERRORS) if ERRORS in header else max(len(cells) for _, cells in records)
    rows = []
    for number, (_, cells) in enumerate(records):
        text = ERRORS if cells is header else escape_formula("\n".join(by_record[number]))
        filled = cells + [""] * (own - len(cells))
        rows.append([*filled[:own], text, *filled[own + 1 :]])
    return write_csv(rows, delimiter=csv_delimiter(source)).encode("utf-8-sig")
