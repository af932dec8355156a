"""Foreign text in HTML: escaped, and with nothing in it that a browser would obey or hide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from promptbench.report.words import clean

_KEPT = "\n\t"


def shown(text: str) -> str:
    """A foreign text with its lines, for an element's content or an attribute's value."""
    if text.isprintable():
        return escape(text)
    return escape("".join(char if char in _KEPT else clean(char) for char in text.replace("\r\n", "\n")))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, label: str, texts: int = 1) -> str:
    """A table in a frame that scrolls by itself where the page is narrow. The first `texts` columns are no figures."""
    head = "".join(f'<th scope="col"{_figure(place, texts)}>{shown(name)}</th>' for place, name in enumerate(heads))
    body = "".join(
        "<tr>" + "".join(f"<td{_figure(place, texts)}>{shown(cell)}</td>" for place, cell in enumerate(row)) + "</tr>\n"
        for row in rows
    )
    return framed(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>", label)


def framed(content: str, label: str) -> str:
    """Content that may be wider than the page, and is scrolled with the keyboard too."""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{shown(label)}">{content}</div>\n'


def _figure(place: int, texts: int) -> str:
    return "" if place < texts else ' class="n"'
