"""Foreign text in HTML: escaped, and without anything that a browser would obey or hide."""

from html import escape

from promptbench.report.words import clean


def visible(text: str) -> str:
    """Return a foreign text with its lines, with a sign in the place of each character that would not be seen."""
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line if line.isprintable() else "\t".join(map(clean, line.split("\t"))) for line in lines)


def shown(text: str) -> str:
    """Return a foreign text with its lines, for an element's content or an attribute's value."""
    return escape(visible(text))
