"""`promptbench mutate`: break good answers on purpose, and list those that the checks of a suite let pass."""

from __future__ import annotations

from typing import Annotated

import typer

from promptbench.cli.options import AsJson, Cases, Suites, Tags


def register(app: typer.Typer) -> None:
    app.command("mutate")(mutate)


def mutate(
    suites: Suites = None,
    case: Cases = None,
    tag: Tags = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Break the passing answers of this run. By default, the latest."),
    ] = None,
    at_least: Annotated[
        str | None,
        typer.Option(
            "--at-least", metavar="SHARE", help="Exit with 1 if the checks of a suite notice fewer, such as 90%."
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Break good answers, and show what no check notices. No model is called."""
    from promptbench import api
    from promptbench.cli.output import out, out_json, target
    from promptbench.report.mutation import render

    selection = api.Selection(paths=tuple(suites or ()), cases=tuple(case or ()), tags=tuple(tag or ()))
    found = api.mutate(api.Project.open(), selection, run=run, at_least=at_least)
    if as_json:
        out_json(found.as_dict())
    else:
        out(render(found, target()), end="")
    return found.exit
