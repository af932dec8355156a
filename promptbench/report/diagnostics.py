"""Format diagnostics: the message, the location, the line with carets below it, and the hint."""

from collections.abc import Iterable, Iterator, Sequence

from promptbench.core.errors import Diagnostic, Severity
from promptbench.core.types import Json
from promptbench.report.words import clean, cut, width_of

_WIDTH = 108
_MARGIN = 8  # Left of an excerpt: the line's number and a bar.


def render(items: Iterable[Diagnostic], *, colour: bool = False, width: int = _WIDTH) -> str:
    """Format all diagnostics, by file and line. Excerpts of files fit `width` columns; messages are not wrapped."""
    blocks = ["\n".join(_block(item, colour, max(width, 40) - _MARGIN)) for item in in_order(items)]
    return "\n\n".join(blocks) + ("\n" if blocks else "")


def in_order(items: Iterable[Diagnostic]) -> Sequence[Diagnostic]:
    """Return the diagnostics without duplicates, by file, line and column."""
    return sorted(dict.fromkeys(items), key=lambda item: (item.location.path, item.location.line, item.location.column))


def as_data(item: Diagnostic) -> dict[str, Json]:
    """Return a diagnostic as plain data, for `--json`."""
    return {
        "code": item.code.value,
        "severity": item.severity.value,
        "path": item.location.path,
        "line": item.location.line or None,
        "column": item.location.column or None,
        "length": item.location.length,
        "message": item.message,
        "hint": item.hint,
    }


def _block(item: Diagnostic, colour: bool, width: int) -> Iterator[str]:
    name = _paint(f"{item.severity.value}[{item.code.value}]", _COLOURS[item.severity], colour)
    yield f"{clean(str(item.location))}: {name} {clean(item.message)}"
    if item.location.line and item.location.text.strip():
        margin = len(str(item.location.line))
        text, column, length = _window(item, width)
        yield f"{' ' * margin} |"
        yield f"{item.location.line} | {text}"
        yield f"{' ' * margin} | {' ' * column}{_paint('^' * length, _COLOURS[item.severity], colour)}"
    if item.hint:
        yield f"  {_paint('hint:', _CYAN, colour)} {clean(item.hint)}"


def _window(item: Diagnostic, width: int) -> tuple[str, int, int]:
    # Return the line, or a part of a long one, and the carets' column and length in terminal columns.
    #
    # Unprintable characters are escaped, and some letters are two columns wide.
    raw, first = item.location.text, item.location.column - 1
    text, before = clean(raw), clean(raw[:first])
    start, left = (len(before), width // 2) if width_of(text) > width else (0, 0)
    while start and left > 0:  # An excerpt begins half its width before the location.
        start -= 1
        left -= width_of(before[start])
    lead = "…" if start else ""
    shown = cut(text[start:], width)
    visible = clean(raw[first : first + item.location.length])[: max(0, len(shown) - (len(before) - start))]
    return lead + shown, len(lead) + width_of(before[start:]), max(1, width_of(visible))


_RED, _YELLOW, _CYAN = "31;1", "33;1", "36"
_COLOURS = {Severity.ERROR: _RED, Severity.WARNING: _YELLOW}


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
