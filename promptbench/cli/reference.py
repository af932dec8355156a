"""`promptbench explain`, `docs` and `schema`: checks, diagnostics and terms, the guides, and JSON Schemas."""

import os
import re
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from typing import Annotated, Literal

import typer

from promptbench.cli.options import AsJson
from promptbench.cli.output import out, out_json, target
from promptbench.core.errors import Exit


def explain(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT",
            help="A check, a code such as PB104, or a term such as 'red first'; PB lists the codes, nothing the rest.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Explain a check, a diagnostic code or a term."""
    written = " ".join(what or ()).strip()
    if re.fullmatch(r"(?i)pb\d*", written):
        _explain_codes(written.upper(), as_json)
    elif written:
        _explain_name(written, as_json)
    else:
        _list_all(as_json)
    return Exit.YES


def _list_all(as_json: bool) -> None:
    from promptbench.workflows.start.explain import check_pages, terms

    pages, glossary = check_pages(), terms()
    if as_json:
        data = {"checks": [asdict(page) for page in pages], "terms": [asdict(term) for term in glossary]}
        out_json({"schema_version": 1, **data})
        return
    _print_list((page.name, page.summary) for page in pages)
    out("")
    _print_list([("terms", ", ".join(item.term for item in glossary))])
    out("\n`promptbench explain NAME` explains one of them, `promptbench explain PB` lists the codes of diagnostics.")


def _explain_name(written: str, as_json: bool) -> None:
    from promptbench.workflows.start.explain import Term, explain

    found = explain(written)
    if as_json:
        out_json({"schema_version": 1, "terms" if isinstance(found, Term) else "checks": [asdict(found)]})
    elif isinstance(found, Term):
        out(textwrap.fill(f"{found.term}: {found.meaning}", _width(), break_on_hyphens=False))
    else:
        out(f"{found.name}: {found.summary}\n")
        _print_paragraphs(found.parts.items())
        out(f"\nExample:\n{textwrap.indent(found.example, '  ')}")


def _explain_codes(written: str, as_json: bool) -> None:
    from promptbench.workflows.start.explain import diagnostic_page, diagnostic_pages

    pages = diagnostic_pages() if written == "PB" else [diagnostic_page(written)]
    if as_json:
        # The key `mend` is older than the name `fix`, and part of schema version 1.
        data = [{"mend" if key == "fix" else key: value for key, value in asdict(page).items()} for page in pages]
        for item, page in zip(data, pages, strict=True):
            item["file"] = page.where
            del item["note"]
        out_json({"schema_version": 1, "mistakes": data})
        return
    if written == "PB":
        _print_list((page.code, page.title) for page in pages)
        out("\n`promptbench explain CODE` explains one of them.")
        return
    [page] = pages
    out(f"{page.code}: {page.title}\n")
    _print_paragraphs([("Cause", page.cause), ("Fix", page.fix)])
    where = "at the terminal" if page.right_file == "terminal" else f"in {page.right_file}"
    parts = [(f"Next to it, {file}", text) for file, text in page.beside.items()]
    for title, text in (*parts, (f"Wrong, in {page.where}", page.wrong), (f"Right, {where}", page.right)):
        out(f"\n{title}:\n{textwrap.indent(text, '  ')}", end="")


def _print_list(rows: Iterable[tuple[str, str]]) -> None:
    listed = list(rows)
    longest = max(len(name) for name, _ in listed)
    for name, words in listed:
        lines = textwrap.wrap(words, _width() - longest - 2)
        out("\n".join(f"{name if not index else '':<{longest}}  {line}" for index, line in enumerate(lines)))


def _print_paragraphs(paragraphs: Iterable[tuple[str, str]]) -> None:
    for name, words in paragraphs:
        out(textwrap.fill(f"{name}: {words}", _width(), subsequent_indent="  ", break_on_hyphens=False))


def _width() -> int:
    return min(target().width, 100)


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
    if not (sys.stdout.isatty() and sys.stdin.isatty()) or os.environ.get("TERM") == "dumb":
        out(text, end="")
        return
    import pydoc

    # As git does: leave at once if the text fits, keep colours, and leave the text on the screen.
    os.environ.setdefault("LESS", "FRX")
    pydoc.pager(text)


def schema(
    what: Annotated[
        Literal["suite", "report", "datasette"],
        typer.Argument(
            metavar="WHAT",
            help="`suite` files, the JSON `report`, or the metadata with which `datasette` shows runs.sqlite.",
        ),
    ] = "suite",
) -> int:
    """Print the JSON Schema of suite files or of reports."""
    if what == "datasette":
        from promptbench.workflows.upkeep.datasette import datasette_metadata

        out_json(datasette_metadata())
    else:
        from promptbench.workflows.start.schema import report_schema, suite_schema

        out_json(report_schema() if what == "report" else suite_schema())
    return Exit.YES
