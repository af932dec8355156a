"""Plain text without colour, the verdict on one line: for pipes, files and logs of other programs."""

from __future__ import annotations

from collections.abc import Sequence

from promptbench.report.formats.terminal import lines
from promptbench.report.model import RunReport
from promptbench.report.words import Target


def render(reports: Sequence[RunReport], target: Target) -> str:
    return "\n".join(lines(report, Target(width=100, verbose=target.verbose), whole=True) for report in reports)
