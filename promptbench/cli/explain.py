"""`promptbench explain`: what a check is for, and how to write it."""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from promptbench.cli.options import AsJson
from promptbench.core.errors import Exit


def register(app: typer.Typer) -> None:
    app.command("explain")(explain)


def explain(
    check: Annotated[
        list[str] | None, typer.Argument(metavar="CHECK", help="A check's name; all of them by default.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Say what a check is for and how to write it."""
    from dataclasses import asdict

    from promptbench import api
    from promptbench.cli.output import out, out_json, target

    pages = api.check_pages() if check is None else [api.check_page(" ".join(check))]
    if as_json:
        out_json({"schema_version": 1, "checks": [asdict(page) for page in pages]})
        return Exit.YES
    width = min(target().width, 100)
    if check is None:
        longest = max(len(page.name) for page in pages)
        for page in pages:
            lines = textwrap.wrap(page.summary, width - longest - 2)
            out("\n".join(f"{page.name if not index else '':<{longest}}  {line}" for index, line in enumerate(lines)))
        out("\n`promptbench explain CHECK` says more of each.")
        return Exit.YES
    [page] = pages
    out(f"{page.name}: {page.summary}\n")
    for name, words in page.parts.items():
        out(textwrap.fill(f"{name}: {words}", width, subsequent_indent="  ", break_on_hyphens=False))
    out(f"\nExample:\n{textwrap.indent(page.example, '  ')}", end="")
    out("")
    return Exit.YES
