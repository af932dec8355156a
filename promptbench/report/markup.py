"""Foreign text in HTML: escaped, and without anything that a browser would obey or hide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from promptbench.report.document import TableColumn
from promptbench.report.words import clean


def shown(text: str) -> str:
    """Return a foreign text with its lines, for an element's content or an attribute's value."""
    if text.isprintable():
        return escape(text)
    return escape("".join(char if char in "\n\t" else clean(char) for char in text.replace("\r\n", "\n")))


def table(columns: Sequence[TableColumn], rows: Iterable[Sequence[str]], *, label: str, grouped: bool = False) -> str:
    """Return a table. With `grouped`, a row above each group has the name that the first column repeats."""
    columns = columns[1:] if grouped else columns
    head = "".join(f'<th scope="col"{_figure(column)}>{shown(column.head)}</th>' for column in columns)
    body: list[str] = []
    group = None
    for row in rows:
        if grouped and row[0] != group:
            group = row[0]
            span = f'scope="colgroup" colspan="{len(columns)}"'
            body.append(f'<tr class="group"><th {span}>{shown(clean(group))}</th></tr>\n')
        name, *cells = row[1:] if grouped else row
        others = zip(columns[1:], cells, strict=True)
        figures = "".join(f"<td{_figure(column)}>{shown(clean(cell))}</td>" for column, cell in others)
        body.append(f'<tr><th scope="row"{_figure(columns[0])}>{shown(clean(name))}</th>{figures}</tr>\n')
    return framed(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(body)}</tbody>\n</table>", label)


def framed(content: str, label: str) -> str:
    """Return content in a frame that scrolls if the page is narrow, with the keyboard too."""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{shown(label)}">{content}</div>\n'


def _figure(column: TableColumn) -> str:
    return ' class="n"' if column.numeric else ""
