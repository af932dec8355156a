"""`promptbench ablate`: what each part of a prompt is worth, and the shortest prompt that is not worse."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from promptbench.cli.options import (
    Cases,
    CommandLine,
    Concurrency,
    First,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Models,
    Prompts,
    Reports,
    Sample,
    Seed,
    Tags,
    verdicts,
)
from promptbench.core.subset import Subset


@verdicts
def ablate(
    command: CommandLine,
    target: Annotated[
        Path, typer.Argument(metavar="PROMPT|SUITE", help="A prompt's file, or the suite that tests it.")
    ],
    prompt: Prompts = None,
    by: Annotated[
        Literal["example", "section", "sentence"] | None,
        typer.Option("--by", help="The parts; by default the first of these that the prompt has."),
    ] = None,
    model: Models = None,
    case: Cases = None,
    tag: Tags = None,
    first: First = None,
    sample: Sample = None,
    seed: Seed = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the calls without making them.")] = False,
    concurrency: Concurrency = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
) -> Reports:
    """Report what each part of a prompt is worth, and shorten it.

    Leaves out one example, section or sentence at a time, then all that the prompt is not worse without. If the shorter
    prompt is not worse, writes it to NAME.shorter.prompt next to the prompt. The same command resumes.
    """
    from dataclasses import asdict

    from promptbench.cli.compare import show_plans
    from promptbench.cli.output import present_command
    from promptbench.cli.progress import Progress
    from promptbench.project import Selection
    from promptbench.workflows.judge import ablate as workflow
    from promptbench.workflows.judge.budgets import Spending

    models, cases, tags = (tuple(words or ()) for words in (model, case, tag))
    selection = Selection((), tuple(prompt or ()), models, cases, tags, subset=Subset(first, sample, seed))
    spending = Spending.read(max_cost, max_calls, max_minutes)
    if dry_run:
        plans = workflow.plan_ablation(command.project, target, selection, by)
        return show_plans(plans, {"ablation": list(map(asdict, plans))} if command.as_json else None)
    with Progress(quiet=command.quiet) as progress:
        report = workflow.ablate(
            command.project, target, selection, by, command=present_command(), spending=spending, listen=progress.listen
        )
    return [report]
