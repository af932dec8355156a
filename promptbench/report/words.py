"""Formatting of numbers and foreign texts for people."""

import unicodedata

from promptbench.core.words import percent

_VISIBLE = {"Cs": "\ufffd", "Zs": " "}  # By category; other characters are escaped.


def clean(text: str) -> str:
    """Return a text of a model or user on one line, without anything that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable()
        else _VISIBLE.get(unicodedata.category(char))
        or (f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}")
        for char in text.replace("\r\n", "⏎").replace("\n", "⏎").replace("\t", " ")
    )


def side_word(side: str) -> str:
    """Return what readers call the side of a prompt: the champion is what is in production."""
    return "production" if side == "champion" else side


def width_of(text: str) -> int:
    """Return the columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """Return at most `width` columns of a text, with an ellipsis where the rest is missing."""
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
    """Return the start of a foreign text, cleaned, in at most `width` columns. The cost does not grow with the text."""
    head = text[: width + 1]
    return cut(clean(head) + ("…" if len(head) < len(text) else ""), width)


def shorten(text: str, width: int) -> str:
    """Return a foreign name, cleaned, in at most `width` columns, without its middle: names differ at their ends."""
    shown = excerpt(text, 400)
    if width_of(shown) <= width:
        return shown
    start = cut(shown, max(1, width // 2))
    return start + cut(shown[::-1], width - width_of(start) + 1).removesuffix("…")[::-1]


def duration(milliseconds: float | None) -> str:
    """Return a time with its unit and two or three significant digits."""
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
    """Return a p99, marked with ~ if `few` calls are behind it (fewer than 100)."""
    return duration(milliseconds) if milliseconds is None or not few else f"~{duration(milliseconds)}"


def money(dollars: float | None) -> str:
    """Return US dollars. A small amount keeps two significant digits; None is "unknown"."""
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
    """Return a part of a whole in percent, as `percent` rounds it."""
    return percent(part / whole if whole else None)


def times(ratio: float) -> str:
    """Return a ratio with two significant digits and thousands separators."""
    if ratio >= 100:
        magnitude = 10 ** (len(str(int(ratio))) - 2)
        return f"{round(ratio / magnitude) * magnitude:,.0f}"
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"
