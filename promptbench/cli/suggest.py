"""`promptbench suggest`: let a model propose better versions of a prompt."""

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import (
    Concurrency,
    ExitZero,
    Format,
    JsonFormat,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Output,
    Quiet,
    Verbose,
)


def suggest(
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="A suite file or its folder.")],
    by: Annotated[str, typer.Option("--by", metavar="PROVIDER/NAME", help="The model that writes proposals.")],
    prompt: Annotated[
        Path | None, typer.Option("--prompt", metavar="FILE", help="Start from this file, not from production.")
    ] = None,
    proposals: Annotated[int, typer.Option("--proposals", min=1, max=1000, help="Proposals at most.")] = 10,
    growth: Annotated[float, typer.Option("--growth", min=0.1, help="How many times as long a version may be.")] = 1.5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the calls without making them.")] = False,
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    concurrency: Concurrency = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    exit_zero: ExitZero = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Propose better prompts, and judge them on unseen cases.

    Writes NAME.suggested-1.prompt and others next to the prompt, and promotes nothing. The same command resumes a
    search that was interrupted.
    """
    from promptbench.cli.progress import Progress
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.judge.suggest import suggest as search, suggest_report

    rendering = Rendering.of(format_, output, as_json=as_json, verbose=verbose, quiet=quiet)
    project = Project.open(flags={"concurrency": concurrency})
    spending = Spending.read(max_cost, max_calls, max_minutes)
    with rendering.errors(project), Progress(quiet=quiet) as progress:
        found = search(
            project,
            suite,
            by,
            prompt=prompt,
            proposals=proposals,
            growth=growth,
            spending=spending,
            dry_run=dry_run,
            listen=progress.listen,
        )
    return rendering.write(project, [suggest_report(found)], exit_zero=exit_zero)
