"""`promptbench run`: call the models, check the answers, judge the candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import (
    Actor,
    Cases,
    Cluster,
    CommandLine,
    Concurrency,
    First,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Models,
    Prompts,
    Reason,
    Reports,
    Sample,
    Seed,
    Shard,
    Suites,
    Tags,
    run_verdicts,
)
from promptbench.core.errors import Exit, InputError
from promptbench.core.subset import Subset
from promptbench.core.types import CacheMode

if TYPE_CHECKING:
    from promptbench.project import Project, Selection


@run_verdicts
def run(
    command: CommandLine,
    suites: Suites = None,
    prompt: Prompts = None,
    model: Models = None,
    case: Cases = None,
    tag: Tags = None,
    first: First = None,
    sample: Sample = None,
    seed: Seed = None,
    shard: Shard = None,
    changed: Annotated[
        bool,
        typer.Option(
            "--changed",
            help="Only suites that this branch affects, by git; runs `validate --red` first.",
        ),
    ] = False,
    changed_since: Annotated[
        str | None,
        typer.Option(
            "--changed-since",
            metavar="REF",
            help="Like --changed, but compared with REF, a branch or a commit.",
        ),
    ] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Move `production` where the verdict is PASS.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the calls without making them.")] = False,
    concurrency: Concurrency = None,
    cluster: Cluster = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    cache: Annotated[
        CacheMode,
        typer.Option(
            "--cache",
            help="`write` stores all answers; `read` uses stored ones, calls for the rest, and gives no PASS or FAIL.",
        ),
    ] = CacheMode.OFF,
    blame: Annotated[
        bool,
        typer.Option(
            "--blame",
            help="Make more calls to find the step of a chain that broke a case; the verdict stays the same.",
        ),
    ] = False,
    allow_no_keys: Annotated[
        bool,
        typer.Option(
            "--allow-no-keys", help="If keys are missing: validate, make no calls, give no verdict and exit 0."
        ),
    ] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Call by the provider's batch API: half price, an answer within a day.")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="With --batch, end with 4 while answers are missing, to be run again.")
    ] = False,
    actor: Actor = None,
    reason: Reason = None,
) -> Reports:
    """Call production and candidate, check the answers, judge them.

    Ends with the verdict in one sentence. The same command resumes a run that was interrupted.
    """
    from functools import partial

    from promptbench.cli.progress import Progress
    from promptbench.project import Selection
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.judge.run import parse_shard, run as run_suites
    from promptbench.workflows.judge.run_report import run_report
    from promptbench.workflows.store.labels import Who
    from promptbench.workflows.store.promote import promote_run

    selection = Selection(
        tuple(suites or ()),
        tuple(prompt or ()),
        tuple(model or ()),
        tuple(case or ()),
        tuple(tag or ()),
        shard=parse_shard(shard),
        changed=changed or changed_since is not None,
        since=changed_since,
        subset=Subset(first, sample, seed),
    )
    spending = Spending.read(max_cost, max_calls, max_minutes)
    if no_wait and not batch:
        raise InputError("--no-wait needs --batch")
    if dry_run:
        return _dry_run(command.project, selection, promote=promote, as_json=command.as_json, by_batch=batch)
    with command.rendering.errors(command.project), Progress(quiet=command.quiet) as progress:
        reports = run_suites(
            command.project,
            selection,
            promote=partial(promote_run, command.project, Who(actor, reason)) if promote else None,
            spending=spending,
            cache=cache,
            evidence=command.rendering.wants("evidence"),
            blame=blame,
            allow_no_keys=allow_no_keys,
            by_batch=batch,
            wait=not no_wait,
            listen=progress.listen,
        )
    return list(map(run_report, reports))


def _dry_run(project: Project, selection: Selection, *, promote: bool, as_json: bool, by_batch: bool) -> int:
    from dataclasses import asdict
    from textwrap import fill

    from promptbench.cli.output import out, out_json
    from promptbench.core.words import number_of
    from promptbench.workflows.judge.budgets import describe_estimate
    from promptbench.workflows.judge.run import plan

    plans = plan(project, selection, promote=promote, by_batch=by_batch)
    if as_json:
        out_json({"schema_version": 1, "suites": [asdict(item) for item in plans]})
        return Exit.YES
    for item in plans:
        against = f"against {item.champion}" if item.champion else "without a version in production"
        out(f"{item.suite}: {', '.join(item.candidates)} {against}, {number_of(item.cases, 'case')}")
        for model, questions in item.questions.items():
            role = "" if model in item.gated else " (baseline, not judged)"
            calls = number_of(questions, "call") + " by batch" * (model in item.batched)
            out(f"  would make {calls} to {model}{role}{describe_estimate(item.expected[model])}")
        for judge, estimate in item.judges.items():
            most = number_of(estimate.calls, "call") + " by batch" * (judge in item.batched)
            out(f"  would make up to {most} to the judge {judge}{describe_estimate(estimate)}")
        for line in item.could_tell:
            out(fill(line, 80, initial_indent="  ", subsequent_indent="    "))
    return Exit.YES
