"""Plain text without colour: for pipes, files and logs of other programs."""

from __future__ import annotations

from promptbench.report.formats.terminal import render as render_terminal
from promptbench.report.model import RunReport
from promptbench.report.words import Target


def render(report: RunReport, target: Target) -> str:
    return render_terminal(report, Target(width=100))
