"""`promptbench docs`: the guides and reference pages, in the terminal."""

from __future__ import annotations

import os
import sys
from itertools import groupby
from typing import Annotated, Literal

import typer

from promptbench.core.errors import Exit


def docs(
    page: Annotated[
        str | None,
        typer.Argument(metavar="PAGE", help="A page such as verdict; lists all by default."),
    ] = None,
    format_: Annotated[
        Literal["terminal", "markdown", "json"] | None,
        typer.Option("--format", help="terminal, markdown or json; in a pipe, markdown by default."),
    ] = None,
) -> int:
    """Show the guides and the reference. Without PAGE, list them."""
    from promptbench.cli.output import out, out_json, target
    from promptbench.workflows.start.docs import find_page, list_pages, without_links

    format_ = format_ or ("terminal" if sys.stdout.isatty() or page is None else "markdown")
    if page is None:
        pages = list_pages()
        if format_ == "json":
            facts = [{"page": item.name, "title": item.title, "section": item.section} for item in pages]
            out_json({"schema_version": 1, "pages": facts})
            return Exit.YES
        width = max(len(item.name) for item in pages)
        for section, items in groupby(pages, key=lambda item: item.section):
            out(f"{section}:")
            for item in items:
                out(f"  {item.name:{width}}  {item.title}")
        out("\n`promptbench docs PAGE` shows one of them.")
        return Exit.YES
    found = find_page(page)
    if format_ == "json":
        about = {"page": found.name, "title": found.title, "section": found.section}
        out_json({"schema_version": 1, **about, "text": found.markdown})
    elif format_ == "markdown":
        out(found.markdown, end="")
    else:
        where = target()
        _show(_rendered(without_links(found), min(where.width, 100), colour=where.colour))
    return Exit.YES


def _rendered(markdown: str, width: int, *, colour: bool) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.markdown import Markdown

    written = StringIO()
    console = Console(
        file=written,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
    console.print(Markdown(markdown, hyperlinks=False, code_theme="ansi_dark"))
    return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines())


def _show(text: str) -> None:
    """Show a text in the user's pager if there is a terminal, else print it."""
    from promptbench.cli.output import out

    if not (sys.stdout.isatty() and sys.stdin.isatty()) or os.environ.get("TERM") == "dumb":
        out(text, end="")
        return
    import pydoc

    # As git does: leave at once if the text fits, keep colours, and leave the text on the screen.
    os.environ.setdefault("LESS", "FRX")
    pydoc.pager(text)
