"""How figures and foreign texts are written for people."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What is written to: its width in columns, and whether it shows colour."""

    width: int = 80
    colour: bool = False


def clean(text: str) -> str:
    """A text of a model or user on one line, with nothing in it that a terminal would obey."""
    return "".join(
        char if char.isprintable() else f"\\u{ord(char):04x}" if unicodedata.category(char) != "Cs" else "\ufffd"
        for char in text.replace("\r\n", "⏎").replace("\n", "⏎").replace("\t", " ")
    )


def cut(text: str, width: int) -> str:
    """At most `width` characters, with an ellipsis where something is missing."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def duration(milliseconds: float | None) -> str:
    """A time with a unit and two or three significant digits."""
    if milliseconds is None:
        return "–"
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    if milliseconds >= 10:
        return f"{milliseconds:.0f} ms"
    if milliseconds >= 1:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.2f} ms"


def money(dollars: float | None) -> str:
    """US dollars; a small amount keeps two significant digits, and an unknown one is no zero."""
    if dollars is None:
        return "unknown"
    if dollars == 0:
        return "$0"
    if dollars >= 1:
        return f"${dollars:,.2f}"
    digits = 3
    while round(dollars, digits) < 10 ** (1 - digits) and digits < 9:
        digits += 1
    return f"${dollars:.{digits}f}"


def share(part: int, whole: int) -> str:
    """A share for people. Never rounds a blemish away: 100 % and 0 % are said of all and none only."""
    if not whole:
        return "–"
    percent = part / whole * 100
    if 0 < part < whole:
        percent = min(max(percent, 1.0), 99.0)
    return f"{percent:.0f} %"


def times(ratio: float) -> str:
    """A ratio with two significant digits and thousands separators."""
    if ratio >= 100:
        magnitude = 10 ** (len(str(int(ratio))) - 2)
        return f"{round(ratio / magnitude) * magnitude:,.0f}"
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"
