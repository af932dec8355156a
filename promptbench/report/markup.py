"""Foreign text in HTML: escaped, and without anything that a browser would obey or hide."""

from __future__ import annotations

from html import escape

from promptbench.report.words import clean


def visible(text: str) -> str:
    """Return a foreign text with its lines, with a sign in the place of each character that would not be seen."""
    if text.isprintable():
        return text
    return "".join(char if char in "\n\t" else clean(char) for char in text.replace("\r\n", "\n"))


def shown(text: str) -> str:
    """Return a foreign text with its lines, for an element's content or an attribute's value."""
    return escape(visible(text))
