"""`promptbench repairs`: which repair rescues how many answers, and what only another prompt mends."""

from __future__ import annotations

from typing import Annotated

import typer

from promptbench.cli.options import AsJson
from promptbench.core.errors import Exit


def register(app: typer.Typer) -> None:
    app.command("repairs")(repairs)


def repairs(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, or `latest`.")] = "latest",
    as_json: AsJson = False,
) -> int:
    """Show which repairs a run's answers depend on. Says also which failures only another prompt can mend."""
    from promptbench import api
    from promptbench.cli.output import out, out_json, target
    from promptbench.report.repairs import render

    found = api.repairs(api.Project.open(), run)
    if as_json:
        out_json(found.as_dict())
    else:
        out(render(found, target()), end="")
    return Exit.YES
