"""Print a moved label."""

from __future__ import annotations

from dataclasses import asdict

from promptbench.cli.output import out_json, out_lines
from promptbench.core.errors import Exit
from promptbench.report.model import Promotion
from promptbench.report.moved import lines


def show(moved: Promotion, *, as_json: bool) -> Exit:
    """Print a moved label as lines or as JSON."""
    if as_json:
        out_json({"schema_version": 1, **asdict(moved)})
    else:
        out_lines(lines(moved))
    return Exit.YES
