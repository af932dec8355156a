"""Find the mistake behind a YAML parser error.

A parser reports where it failed, which is rarely where the mistake is. So each common mistake near that line is
corrected on trial: the first one whose correction lets the parser get further is the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from promptbench.yaml import layout_hints as layout
from promptbench.yaml import sign_hints as signs
from promptbench.yaml.syntax_hint import Found, Line, Slip, apply_edits, error_position, line_starts

_LINES_ABOVE = 5
# Each trial parses the whole text, so in a longer one only the parser's own position is reported.
_MAX_TEXT = 400_000


def find_cause(text: str, line: int, column: int, opener: int | None = None) -> Slip | None:
    """Return the mistake that makes the parser fail at a line and column, both from 0; None if none explains it.

    `opener` is the line of what was still open there, such as a bracket.
    """
    if len(text) > _MAX_TEXT:
        return None
    for slip in _candidates(text, line, opener):
        if not slip.edits:
            return slip
        reached = error_position(apply_edits(text, slip.edits))
        if reached is None or reached > (line, column + _added_length(slip, line, text)):
            return slip
    return None


def _added_length(slip: Slip, line: int, text: str) -> int:
    """Return by how much the edits lengthen the line on which the parser failed."""
    start = sum(len(item) + 1 for item in text.split("\n")[:line])
    end = text.find("\n", start)
    here = [edit for edit in slip.edits if start <= edit.start <= (end if end >= 0 else len(text))]
    return max(0, sum(len(edit.text) - (edit.end - edit.start) for edit in here))


def _candidates(text: str, line: int, opener: int | None) -> Iterator[Slip]:
    """Yield the mistakes that may make the parser fail at a line, the most specific kind first."""
    lines = text.split("\n")
    near = [*range(min(line, len(lines) - 1), max(-1, line - _LINES_ABOVE), -1)]
    if opener is not None and opener < len(lines) and opener not in near:
        near.append(opener)
    starts = line_starts(lines)
    for find in _KINDS:
        for number in near:
            found = find(Line(text, lines, starts, number), line)
            if found is not None:
                yield from [found] if isinstance(found, Slip) else found


_KINDS: tuple[Callable[[Line, int], Found], ...] = (
    signs.find_merge_conflict,
    signs.find_fence,
    signs.find_json_lines,
    layout.find_tabs,
    layout.find_odd_spaces,
    layout.find_invisible,
    layout.find_dash,
    signs.find_curly,
    signs.find_colon,
    signs.find_list_on_the_line,
    signs.find_closing,
    signs.find_slashes,
    signs.find_comma_missing,
    signs.find_apostrophe,
    signs.find_three_quotes,
    signs.find_text_after_quote,
    signs.find_unquoted,
    signs.find_comment_in_braces,
    layout.find_text_below,
    layout.find_block,
    signs.find_unclosed_quote,
    signs.find_no_colon,
    layout.find_dash_forgotten,
    layout.find_indented,
)
