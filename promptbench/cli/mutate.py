"""`promptbench suite mutate`: mutation testing of a suite's checks with good answers broken on purpose."""

from __future__ import annotations

from typing import Annotated

import typer

from promptbench.cli.options import (
    Cases,
    First,
    Format,
    JsonFormat,
    Output,
    Quiet,
    Sample,
    Seed,
    Suites,
    Tags,
    Verbose,
)
from promptbench.core.subset import Subset


def mutate(
    suites: Suites = None,
    case: Cases = None,
    tag: Tags = None,
    first: First = None,
    sample: Sample = None,
    seed: Seed = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Break the passing answers of this run. By default, the latest."),
    ] = None,
    at_least: Annotated[
        str | None,
        typer.Option("--at-least", metavar="SHARE", help="Exit with 1 if a suite kills fewer, such as 90%."),
    ] = None,
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Break good answers, and show what no check notices. Calls no model."""
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project, Selection
    from promptbench.workflows.trust.mutate import mutate as run_mutations
    from promptbench.workflows.trust.mutation_report import mutation_report

    rendering = Rendering.of(format_, output, as_json=as_json, verbose=verbose, quiet=quiet)
    project = Project.open()
    selection = Selection(
        paths=tuple(suites or ()),
        cases=tuple(case or ()),
        tags=tuple(tag or ()),
        subset=Subset(first, sample, seed),
    )
    found = run_mutations(project, selection, run=run, at_least=at_least)
    return rendering.write(project, [mutation_report(found)])
