"""Plain text without colour, a line for each thing that is said: for pipes, files and logs of other programs."""

from __future__ import annotations

from collections.abc import Sequence

from promptbench.report.formats.terminal import joined
from promptbench.report.model import RunReport
from promptbench.report.words import Target


def render(reports: Sequence[RunReport], target: Target) -> str:
    return joined(reports, Target(width=100, verbose=target.verbose), whole=True)
