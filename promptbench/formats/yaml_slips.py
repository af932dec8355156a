"""Slips that people make in YAML: what each looks like in the text, what to say of it, and the edit that mends it.

A parser says where it gave up, which is rarely where the slip is. So each likely slip near that place is mended on
trial: the one whose mend lets the parser get further is the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from promptbench.formats import _slip_layout as layout
from promptbench.formats import _slip_signs as signs
from promptbench.formats._slip import Edit, Found, Line, Slip, applied, moved, quoted, starts_of
from promptbench.formats._yaml import gives_up_at

__all__ = ["Edit", "Slip", "applied", "cause", "gives_up_at", "moved", "quoted", "slips"]

_LINES_ABOVE = 5
_MOST_TEXT = 400_000
"""In a longer text the parser's own place is told: each trial reads it all."""


def cause(text: str, line: int, column: int, opener: int | None = None) -> Slip | None:
    """The slip for which a parser gives up at a line and column, which count from 0; None where none explains it.

    `opener` is the line of what was open there, such as a bracket.
    """
    if len(text) > _MOST_TEXT:
        return None
    for slip in slips(text, line, opener):
        if not slip.edits:
            return slip
        reached = gives_up_at(applied(text, slip.edits))
        if reached is None or reached > (line, column + _longer(slip, line, text)):
            return slip
    return None


def _longer(slip: Slip, line: int, text: str) -> int:
    """How much longer the mend makes the line on which the parser gave up."""
    start = sum(len(item) + 1 for item in text.split("\n")[:line])
    end = text.find("\n", start)
    here = [edit for edit in slip.edits if start <= edit.start <= (end if end >= 0 else len(text))]
    return max(0, sum(len(edit.text) - (edit.end - edit.start) for edit in here))


def slips(text: str, line: int, opener: int | None = None) -> Iterator[Slip]:
    """The slips that may be why a parser gives up at a line, the most telling first."""
    lines = text.split("\n")
    near = [*range(min(line, len(lines) - 1), max(-1, line - _LINES_ABOVE), -1)]
    if opener is not None and opener < len(lines) and opener not in near:
        near.append(opener)
    starts = starts_of(lines)
    for find in _KINDS:
        for number in near:
            found = find(Line(text, lines, starts, number), line)
            if found is not None:
                yield from [found] if isinstance(found, Slip) else found


_KINDS: tuple[Callable[[Line, int], Found], ...] = (
    signs.merge_conflict,
    signs.fence,
    signs.json_lines,
    layout.tabs,
    layout.odd_spaces,
    layout.invisible,
    layout.dash,
    signs.curly,
    signs.colon,
    signs.list_on_the_line,
    signs.closing,
    signs.slashes,
    signs.comma_missing,
    signs.apostrophe,
    signs.three_quotes,
    signs.goes_on,
    signs.unquoted,
    signs.comment_in_braces,
    layout.text_below,
    layout.block,
    signs.quote_runs_on,
    signs.no_colon,
    layout.dash_forgotten,
    layout.indented,
)
