"""Figures in columns: a block for each model, so that its name is whole, and a line for each prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from promptbench.report.model import Row
from promptbench.report.words import cut, excerpt, width_of

NAME = 200
"""Columns for a name where the line is wrapped anyway."""
_LABEL = 20
"""Columns that a prompt's part and name need to be told from the others."""
_LEAST = 14
"""What is left of that where a terminal is too narrow for anything."""
_SIDES = {"champion": "production", "candidate": "candidate", "baseline": "baseline"}

Line = tuple[str, str]
"""A line of text and its style."""


def table(
    title: str, rows: Sequence[Row], columns: Mapping[str, Sequence[str]], width: int, *, lose: Sequence[str]
) -> Iterator[Line]:
    """The lines. A column has a cell for each row; a narrow terminal loses those in `lose`, the first one first, and
    never a name.
    """
    widths = {name: max(width_of(cell) for cell in (name, *cells)) for name, cells in columns.items()}
    for name in lose:
        if width - sum(widths.values()) - 2 * len(widths) < _LABEL:
            widths.pop(name, None)
    longest = max((len(_part(row)) + width_of(excerpt(row.prompt, NAME)) for row in rows), default=0)
    room = width - sum(widths.values()) - 2 * len(widths)
    left = max(_LEAST, min(room, max(_LABEL, longest)))
    yield f"{title:<{left}}" + "".join(f"  {name:>{wide}}" for name, wide in widths.items()), "dim"
    models = {row.model: row.gated for row in rows}
    for model, gated in models.items():
        role = "" if gated else " (not judged)"
        yield excerpt(model, width - len(role)) + role, "bold"
        for index, row in enumerate(rows):
            if row.model != model:
                continue
            part = _part(row)
            # The names of candidates differ at their ends.
            label = cut(part + cut(excerpt(row.prompt, NAME)[::-1], left - len(part))[::-1], left)
            figures = "".join(f"  {columns[name][index]:>{wide}}" for name, wide in widths.items())
            yield label + " " * (left - width_of(label)) + figures, ""


def _part(row: Row) -> str:
    return f"  {side(row):<12}"


def side(row: Row) -> str:
    """A prompt's part in the run, for people."""
    return _SIDES.get(row.side) or excerpt(row.side, 10)
