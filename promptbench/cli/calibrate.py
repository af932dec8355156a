"""`promptbench suite calibrate`: the prompt in production against itself."""

from __future__ import annotations

from typing import Annotated

import typer

from promptbench.cli.options import (
    Cases,
    Concurrency,
    First,
    Format,
    JsonFormat,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Models,
    Output,
    Quiet,
    Sample,
    Seed,
    Suites,
    Tags,
    Verbose,
)
from promptbench.core.subset import Subset


def calibrate(
    suites: Suites = None,
    model: Models = None,
    case: Cases = None,
    tag: Tags = None,
    first: First = None,
    sample: Sample = None,
    seed: Seed = None,
    repeats: Annotated[
        int | None,
        typer.Option("--repeats", min=1, max=50, help="Tries for each side; by default the gate's maximum."),
    ] = None,
    concurrency: Concurrency = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Report flaky cases, and the false alarms they cause.

    The prompt in production runs as both sides. Later runs mention the flaky cases. The same command resumes an
    interrupted calibration.
    """
    from promptbench.cli.progress import Progress
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project, Selection
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.trust.calibrate import calibrate as run_calibration
    from promptbench.workflows.trust.calibration_report import calibration_report

    rendering = Rendering.of(format_, output, as_json=as_json, verbose=verbose, quiet=quiet)
    project = Project.open(flags={"concurrency": concurrency})
    selection = Selection(
        paths=tuple(suites or ()),
        models=tuple(model or ()),
        cases=tuple(case or ()),
        tags=tuple(tag or ()),
        subset=Subset(first, sample, seed),
    )
    spending = Spending.read(max_cost, max_calls, max_minutes)
    with Progress(quiet=quiet) as progress:
        found = run_calibration(project, selection, repeats=repeats, spending=spending, listen=progress.listen)
    return rendering.write(project, [calibration_report(found)])
