"""What a plug-in module exposes as `SPEC`: one frozen dataclass for each kind of plug-in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptbench.report.document import Report
    from promptbench.report.words import Target


@dataclass(frozen=True, slots=True)
class ReportFormatSpec:
    """A report format, as `--format` and `--output` name it (entry-point group `promptbench.reports`).

    `render` turns the reports of a command into one text that ends with a line break. It raises ValueError if a report
    has nothing that the format could hold.
    """

    render: Callable[[Sequence[Report], Target], str]
