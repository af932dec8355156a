"""How a moved label is told: what changed, and how to undo it."""

from __future__ import annotations

from dataclasses import asdict

from promptbench.cli.output import out, out_json
from promptbench.core.errors import Exit
from promptbench.report.model import Promotion
from promptbench.report.words import clean


def show(moved: Promotion, *, as_json: bool) -> Exit:
    if as_json:
        out_json({"schema_version": 1, **asdict(moved)})
        return Exit.YES
    was = f" (was {moved.prompt}@{moved.previous})" if moved.previous else ""
    out(f"{moved.prompt}@{moved.version} is now {moved.label}{was}")
    if moved.returning:
        out(f"  fails again: {', '.join(map(clean, moved.returning))}")
    out(f"  read it: promptbench get {moved.prompt}@{moved.label}")
    out(f"  undo it: {moved.undo}")
    return Exit.YES
