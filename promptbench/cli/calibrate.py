"""`promptbench calibrate`: what is in production against itself."""

from __future__ import annotations

from typing import Annotated

import typer

from promptbench.cli.options import (
    AsJson,
    Cases,
    Concurrency,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Models,
    Quiet,
    Suites,
    Tags,
)
from promptbench.core.errors import Exit


def register(app: typer.Typer) -> None:
    app.command("calibrate")(calibrate)


def calibrate(
    suites: Suites = None,
    model: Models = None,
    case: Cases = None,
    tag: Tags = None,
    repeats: Annotated[
        int | None,
        typer.Option("--repeats", min=1, max=50, help="Tries for each side; by default as many as the gate's most."),
    ] = None,
    concurrency: Concurrency = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Say which cases flake, and how often the gate errs by it.

    What is in production is asked as champion and as candidate.

    What is found is kept, and later runs mention it. The same command goes on with one that was interrupted.
    """
    from promptbench import api
    from promptbench.cli.output import out, out_json, target
    from promptbench.cli.progress import Progress
    from promptbench.report.calibration import render

    project = api.Project.open(flags={"concurrency": concurrency})
    selection = api.Selection(
        paths=tuple(suites or ()), models=tuple(model or ()), cases=tuple(case or ()), tags=tuple(tag or ())
    )
    spending = api.Spending.read(max_cost, max_calls, max_minutes)
    with Progress(quiet=quiet) as progress:
        found = api.calibrate(project, selection, repeats=repeats, spending=spending, listen=progress.listen)
    if as_json:
        out_json(found.as_dict())
    else:
        out(render(found, target()), end="")
    return Exit.YES
