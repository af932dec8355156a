"""`promptbench explain`: what a check is for and how to write it, or what the code of a mistake means."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import AsJson
from promptbench.core.errors import Exit

if TYPE_CHECKING:
    from promptbench.api import CheckPage, MistakePage


def register(app: typer.Typer) -> None:
    app.command("explain")(explain)


def explain(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT",
            help="A check, or a mistake's code such as PB104; PB lists the codes, nothing the checks.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Explain a check, or the code of a mistake. What it is for, what it means, what to write."""
    written = " ".join(what or ()).strip()
    if re.fullmatch(r"(?i)pb\d*", written):
        _codes(written.upper(), as_json)
    else:
        _checks(written, as_json)
    return Exit.YES


def _checks(written: str, as_json: bool) -> None:
    from dataclasses import asdict

    from promptbench import api
    from promptbench.cli.output import out, out_json

    pages = [api.check_page(written)] if written else api.check_pages()
    if as_json:
        out_json({"schema_version": 1, "checks": [asdict(page) for page in pages]})
    elif written:
        _show_check(pages[0])
    else:
        _show_list((page.name, page.summary) for page in pages)
        out("\n`promptbench explain CHECK` says more of each, `promptbench explain PB` lists the codes of mistakes.")


def _codes(written: str, as_json: bool) -> None:
    from dataclasses import asdict

    from promptbench import api
    from promptbench.cli.output import out, out_json

    pages = api.mistake_pages() if written == "PB" else [api.mistake_page(written)]
    if as_json:
        out_json({"schema_version": 1, "mistakes": [asdict(page) for page in pages]})
    elif written == "PB":
        _show_list((page.code, page.title) for page in pages)
        out("\n`promptbench explain CODE` says more of each.")
    else:
        _show_mistake(pages[0])


def _show_list(rows: Iterable[tuple[str, str]]) -> None:
    from promptbench.cli.output import out

    listed = list(rows)
    longest = max(len(name) for name, _ in listed)
    for name, words in listed:
        lines = textwrap.wrap(words, _width() - longest - 2)
        out("\n".join(f"{name if not index else '':<{longest}}  {line}" for index, line in enumerate(lines)))


def _show_check(page: CheckPage) -> None:
    from promptbench.cli.output import out

    out(f"{page.name}: {page.summary}\n")
    for name, words in page.parts.items():
        out(textwrap.fill(f"{name}: {words}", _width(), subsequent_indent="  ", break_on_hyphens=False))
    out(f"\nExample:\n{textwrap.indent(page.example, '  ')}")


def _show_mistake(page: MistakePage) -> None:
    from promptbench.cli.output import out

    out(f"{page.code}: {page.title}\n")
    for name, words in (("Cause", page.cause), ("Mend", page.mend)):
        out(textwrap.fill(f"{name}: {words}", _width(), subsequent_indent="  ", break_on_hyphens=False))
    for file, text in page.beside.items():
        out(f"\nBeside it, {file}:\n{textwrap.indent(text, '  ')}", end="")
    out(f"\nWrong, in {page.file}:\n{textwrap.indent(page.wrong, '  ')}", end="")
    where = "type" if page.right_file == "terminal" else f"in {page.right_file}"
    out(f"\nRight, {where}:\n{textwrap.indent(page.right, '  ')}", end="")


def _width() -> int:
    from promptbench.cli.output import target

    return min(target().width, 100)
