"""How a moved label is told: what changed, on what it rests, and how to undo it."""

from __future__ import annotations

from collections.abc import Iterator

from promptbench.report.model import Promotion
from promptbench.report.words import clean

COMMANDS = ("  read it: ", "  undo it: ")
"""What lines begin with that hold a command."""


def lines(moved: Promotion) -> Iterator[str]:
    """The first line says what moved; commands stand whole in theirs, so that they can be copied."""
    was = f" (was {moved.prompt}@{moved.previous})" if moved.previous else ""
    yield f"{moved.prompt}@{moved.version} is now {moved.label}{was}"
    if moved.proof:
        yield f"  proof: {clean(moved.proof)}"
    if moved.returning:
        yield f"  fails again: {', '.join(map(clean, moved.returning))}"
    for what, command in zip(COMMANDS, (f"promptbench get {moved.prompt}@{moved.label}", moved.undo), strict=True):
        yield f"{what}{command}"
