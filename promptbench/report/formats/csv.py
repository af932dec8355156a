"""CSV for spreadsheets and scripts: one row for each case with one prompt on one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from promptbench.core.types import Json
from promptbench.report.model import CaseResult, RunReport
from promptbench.report.words import Target
from promptbench.tables.delimited import escape_formula, write_csv

_LONGEST = 32_000
"""Characters in a cell; spreadsheets cut or split longer ones."""
_RUN = ("run", "suite", "result")
_CASE = tuple(item.name for item in fields(CaseResult))


def render(reports: Sequence[RunReport], target: Target) -> str:
    """The columns are those of `CaseResult`, behind the run, its suite and its verdict's result."""
    rows = [[*_RUN, *_CASE]]
    for report in reports:
        run = [getattr(report, name) for name in _RUN]
        rows += [
            [_cell(value) for value in (*run, *(getattr(item, name) for name in _CASE))] for item in report.results
        ]
    return write_csv(rows, line_end="\n")


def _cell(value: Json) -> str:
    """A value as text that no spreadsheet takes for a formula; lists are separated by semicolons."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:.10g}"
        case list() | tuple():
            value = "; ".join(item if isinstance(item, str) else f"{item:.10g}" for item in value)
    text = str(value).replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    text = "".join(char if char >= " " or char in "\t\n" else "\ufffd" for char in text)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return escape_formula(text)
