"""`promptbench suite agreement`: the agreement of a judge with human labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import Format, JsonFormat, MaxCalls, MaxCost, Output, Quiet, Verbose
from promptbench.core.errors import Exit, InputError


def agree(
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")],
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help="Labelled answers: .csv, .xlsx or .jsonl.")
    ] = None,
    write_sheet: Annotated[
        Path | None, typer.Option("--write-sheet", metavar="FILE", help="Write a run's answers as a sheet to label.")
    ] = None,
    criterion: Annotated[
        str | None, typer.Option("--criterion", metavar="TEXT", help="Which check: the start of its 'passes if'.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="The labelled run; the latest by default."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Judge again what was judged before.")] = False,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Measure a judge's agreement with human labels.

    The record, agreement.json next to the suite, decides if the check counts: commit it.
    """
    from promptbench.cli.output import out
    from promptbench.cli.progress import Progress
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.trust.agree import agree as measure_agreement
    from promptbench.workflows.trust.agree import agreement_report
    from promptbench.workflows.trust.agree import write_sheet as write_label_sheet

    rendering = Rendering.of(format_, output, as_json=as_json, verbose=verbose, quiet=quiet)
    project = Project.open()
    if write_sheet is not None:
        count, known = write_label_sheet(project, suite, write_sheet, run=run)
        some = f"{count}" if count == known else f"{count} of {known}"
        out(f"wrote {some} answers to {write_sheet}: put pass or fail into the column 'label'")
        return Exit.YES
    if labels is None:
        raise InputError(
            "--labels is missing", hint="--write-sheet FILE writes answers to label, --labels FILE reads them"
        )
    spending = Spending.read(max_cost, max_calls, None)
    with Progress(quiet=quiet) as progress:
        found = measure_agreement(
            project,
            suite,
            labels,
            criterion=criterion,
            run=run,
            again=again,
            spending=spending,
            listen=progress.listen,
        )
    return rendering.write(project, [agreement_report(found)])
