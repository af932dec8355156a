"""`promptbench compare`: is the second run, version or model worse than the first?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import (
    Cases,
    Cluster,
    CommandLine,
    Concurrency,
    First,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Reports,
    Sample,
    Seed,
    Tags,
    verdicts,
)
from promptbench.core.errors import Exit
from promptbench.core.subset import Subset
from promptbench.core.types import Json

if TYPE_CHECKING:
    from promptbench.workflows.judge.compare import ComparisonPlan


@verdicts
def compare(
    command: CommandLine,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="A B [SUITE] | SUITE", help="Two runs, two versions or prompt files, or one suite."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="PROVIDER/NAME", help="Twice: compare A with B. Once: only this model."),
    ] = None,
    prompt: Annotated[
        Path | None,
        typer.Option("--prompt", metavar="FILE", help="The prompt for two models, instead of the one in production."),
    ] = None,
    case: Cases = None,
    tag: Tags = None,
    first: First = None,
    sample: Sample = None,
    seed: Seed = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the calls without making them.")] = False,
    concurrency: Concurrency = None,
    cluster: Cluster = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
) -> Reports:
    """Report case by case if B is worse than A.

    A and B are runs, versions of a prompt, or models.

    Two runs, and two versions, are compared by their recorded answers. Two versions with a SUITE, and one prompt on two
    models, are run now, side by side.
    """
    from dataclasses import asdict

    from promptbench.cli.progress import Progress
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.judge.compare import Matchup, compare as compare_variants, plan_comparison
    from promptbench.workflows.judge.run_report import run_report

    part = Subset(first, sample, seed)
    matchup = Matchup(tuple(what or ()), tuple(model or ()), prompt, tuple(case or ()), tuple(tag or ()), part)
    spending = Spending.read(max_cost, max_calls, max_minutes)
    if dry_run:
        plan = plan_comparison(command.project, matchup)
        data = {"comparison": asdict(plan) if plan else None}
        return show_plans([plan] if plan else [], data if command.as_json else None)
    with Progress(quiet=command.quiet) as progress:
        report = compare_variants(command.project, matchup, spending=spending, listen=progress.listen)
    return [run_report(report)]


def show_plans(plans: Sequence[ComparisonPlan], data: Mapping[str, Json] | None) -> int:
    """Print the calls that comparisons would make, as JSON if `data` is given."""
    from promptbench.cli.output import out, out_json
    from promptbench.core.words import number_of
    from promptbench.workflows.judge.budgets import describe_estimate

    if data is not None:
        out_json({"schema_version": 1, **data})
    elif not plans:
        out("would make no calls: recorded answers are compared")
    for plan in () if data is not None else plans:
        out(f"{plan.suite}: {plan.candidate} against {plan.champion}, {number_of(plan.cases, 'case')}")
        for name, estimate in plan.expected.items():
            out(f"  would make {number_of(estimate.calls, 'call')} to {name}{describe_estimate(estimate)}")
    return Exit.YES
