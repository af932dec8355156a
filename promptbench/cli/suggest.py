"""`promptbench suggest`: let a model propose better versions of a prompt."""

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import CommandLine, Concurrency, MaxCalls, MaxCost, MaxMinutes, Reports, verdicts


@verdicts
def suggest(
    command: CommandLine,
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="A suite file or its folder.")],
    by: Annotated[str, typer.Option("--by", metavar="PROVIDER/NAME", help="The model that writes proposals.")],
    prompt: Annotated[
        Path | None, typer.Option("--prompt", metavar="FILE", help="Start from this file, not from production.")
    ] = None,
    proposals: Annotated[int, typer.Option("--proposals", min=1, max=1000, help="Proposals at most.")] = 10,
    growth: Annotated[float, typer.Option("--growth", min=0.1, help="How many times as long a version may be.")] = 1.5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the calls without making them.")] = False,
    concurrency: Concurrency = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
) -> Reports:
    """Propose better prompts, and judge them on unseen cases.

    Writes NAME.suggested-1.prompt and others next to the prompt, and promotes nothing. The same command resumes a
    search that was interrupted.
    """
    from promptbench.cli.progress import Progress
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.judge.suggest import suggest as search, suggest_report

    spending = Spending.read(max_cost, max_calls, max_minutes)
    with command.rendering.errors(command.project), Progress(quiet=command.quiet) as progress:
        found = search(
            command.project,
            suite,
            by,
            prompt=prompt,
            proposals=proposals,
            growth=growth,
            spending=spending,
            dry_run=dry_run,
            listen=progress.listen,
        )
    return [suggest_report(found)]
