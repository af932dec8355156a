"""Plain text without colour, the verdict on one line: for pipes, files and logs of other programs."""

from __future__ import annotations

from promptbench.report.formats.terminal import lines
from promptbench.report.model import RunReport
from promptbench.report.words import Target


def render(report: RunReport, target: Target) -> str:
    return lines(report, Target(width=100), whole=True)
