"""A moved label as a command shows it."""

from __future__ import annotations

from dataclasses import asdict

from promptbench.cli.output import out, out_json
from promptbench.core.errors import Exit
from promptbench.report.model import Promotion
from promptbench.report.moved import lines


def show(moved: Promotion, *, as_json: bool) -> Exit:
    if as_json:
        out_json({"schema_version": 1, **asdict(moved)})
        return Exit.YES
    for line in lines(moved):
        out(line)
    return Exit.YES
