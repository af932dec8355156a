"""How figures and foreign texts are written for people."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from promptbench.core.words import percent


@dataclass(frozen=True, slots=True)
class Target:
    """What is written to: its width in columns, whether it shows colour, and whether everything is wanted."""

    width: int = 80
    colour: bool = False
    verbose: bool = False


def clean(text: str) -> str:
    """A text of a model or user on one line, with nothing in it that a terminal would obey."""
    return "".join(
        char if char.isprintable() else _visible(char)
        for char in text.replace("\r\n", "⏎").replace("\n", "⏎").replace("\t", " ")
    )


def _visible(char: str) -> str:
    match unicodedata.category(char):
        case "Cs":
            return "\ufffd"
        case "Zs":
            return " "
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """At most `width` columns, with an ellipsis where something is missing."""
    if width_of(text) <= width:
        return text
    kept, left = "", width - 1
    for char in text:
        left -= width_of(char)
        if left < 0:
            break
        kept += char
    return kept + "…" if width > 0 else ""


def excerpt(text: str, width: int) -> str:
    """The start of a foreign text, cleaned, in at most `width` columns. Takes no longer for a text of 50 MB."""
    head = text[: width + 1]
    return cut(clean(head) + ("…" if len(head) < len(text) else ""), width)


def duration(milliseconds: float | None) -> str:
    """A time with a unit and two or three significant digits."""
    if milliseconds is None:
        return "–"
    if milliseconds >= 999.5:
        return f"{milliseconds / 1000:.1f} s"
    if milliseconds >= 9.95:
        return f"{milliseconds:.0f} ms"
    if milliseconds >= 0.995:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.2f} ms"


def tail(milliseconds: float | None, *, few: bool) -> str:
    """A p99, marked where it is of fewer calls than it takes to tell it."""
    return duration(milliseconds) if milliseconds is None or not few else f"~{duration(milliseconds)}"


def money(dollars: float | None) -> str:
    """US dollars; a small amount keeps two significant digits, and an unknown one is no zero."""
    if dollars is None:
        return "unknown"
    if dollars == 0:
        return "$0"
    if dollars >= 0.9995:
        return f"${dollars:,.2f}"
    digits = 3
    while round(dollars, digits) < 10 ** (1 - digits):
        if digits == 9:
            return "<$0.00000001"
        digits += 1
    return f"${dollars:.{digits}f}"


def share(part: int, whole: int) -> str:
    """A part of a whole as `percent` says it."""
    return percent(part / whole if whole else None)


def times(ratio: float) -> str:
    """A ratio with two significant digits and thousands separators."""
    if ratio >= 100:
        magnitude = 10 ** (len(str(int(ratio))) - 2)
        return f"{round(ratio / magnitude) * magnitude:,.0f}"
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"
