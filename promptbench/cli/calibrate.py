"""`promptbench calibrate`: judge the production version against itself."""

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
    """Add the command."""
    app.command("calibrate")(calibrate)


def calibrate(
    suites: Suites = None,
    model: Models = None,
    case: Cases = None,
    tag: Tags = None,
    repeats: Annotated[
        int | None,
        typer.Option("--repeats", min=1, max=50, help="Tries for each side; by default the gate's maximum."),
    ] = None,
    concurrency: Concurrency = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show which cases are flaky, and how often the gate errs because of them.

    The production version runs against itself. Later runs mention the results. The same command resumes an interrupted
    calibration.
    """
    from promptbench.api.calibrating import calibrate
    from promptbench.api.spending import Spending
    from promptbench.api.workspace import Selection, Workspace
    from promptbench.cli.output import out, out_json, target
    from promptbench.cli.progress import Progress
    from promptbench.report.calibration import render

    workspace = Workspace.open(flags={"concurrency": concurrency})
    selection = Selection(
        paths=tuple(suites or ()), models=tuple(model or ()), cases=tuple(case or ()), tags=tuple(tag or ())
    )
    budget = Spending.read(max_cost, max_calls, max_minutes)
    with Progress(quiet=quiet) as progress:
        found = calibrate(workspace, selection, repeats=repeats, spending=budget, listen=progress.listen)
    if as_json:
        out_json(found.as_dict())
    else:
        out(render(found, target()), end="")
    return Exit.YES
