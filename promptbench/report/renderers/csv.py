"""CSV for spreadsheets and scripts: a row for each case, prompt and model; without cases, the tables of the report."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import fields
from io import StringIO

from promptbench.core.types import Json
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report, TableBlock, Target
from promptbench.report.model import CaseResult

# Spreadsheets cut or split longer cells (in characters).
_LONGEST = 32_000
_CASE = tuple(item.name for item in fields(CaseResult))


def render(reports: Sequence[Report], target: Target) -> str:
    """Return CSV whose columns are the run, its suite and result, and the fields of `CaseResult`.

    Reports that are not about cases become their tables, with an empty line between two.
    """
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if reports[0].collection:
        writer.writerow(["run", "suite", "result", *_CASE])
        for report in reports:
            run = [getattr(report, name) for name in ("run", "name", "result")]
            for item in report.cases:
                writer.writerow([_cell(value) for value in (*run, *(getattr(item, name) for name in _CASE))])
    else:
        for number, table in enumerate(table for report in reports for table in _tables(report)):
            if number:
                writer.writerow([])
            writer.writerow([_cell(column.head) for column in table.columns])
            writer.writerows([_cell(cell) for cell in row] for row in table.rows)
    return file.getvalue()


def _tables(report: Report) -> Iterator[TableBlock]:
    sections = report.document.sections
    found = [block for section in sections for block in section.blocks if isinstance(block, TableBlock)]
    yield from found
    if not found:
        yield TableBlock([], [[report.document.verdict]])


def _cell(value: Json) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:.10g}"
        case list() | tuple():
            value = "; ".join(f"{item:.10g}" if isinstance(item, float) else str(item) for item in value)
    text = str(value).replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    text = "".join(char if char >= " " or char in "\t\n" else "\ufffd" for char in text)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\n")) else text


SPEC = ReportFormatSpec(render)
