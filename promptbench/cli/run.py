"""`promptbench run`: call the models, check the answers, judge the candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import (
    Actor,
    Cases,
    Concurrency,
    ExitZero,
    Format,
    JsonFormat,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Models,
    Output,
    Prompts,
    Quiet,
    Reason,
    Shard,
    Suites,
    Tags,
    Verbose,
)
from promptbench.core.errors import Exit, InputError
from promptbench.core.types import CacheMode

if TYPE_CHECKING:
    from promptbench.engine.estimate import Estimate
    from promptbench.engine.prepare.options import Selection
    from promptbench.engine.shards import Shard as RunShard
    from promptbench.project import Project


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    suites: Suites = None,
    prompt: Prompts = None,
    model: Models = None,
    case: Cases = None,
    tag: Tags = None,
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
    promote: Annotated[bool, typer.Option("--promote", help="Move `production` if the verdict is PASS.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the planned calls, and call nothing.")] = False,
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    concurrency: Concurrency = None,
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
    allow_no_keys: Annotated[
        bool,
        typer.Option(
            "--allow-no-keys", help="If keys are missing: validate, call nothing, give no verdict and exit 0."
        ),
    ] = False,
    exit_zero: ExitZero = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    actor: Actor = None,
    reason: Reason = None,
) -> int:
    """Call production and candidate, check the answers, and judge the candidate.

    Ends with the verdict in one sentence. The same command resumes an interrupted run.
    """
    from promptbench.cli.progress import Progress
    from promptbench.cli.rendering import Rendering
    from promptbench.engine.prepare.options import Selection
    from promptbench.project import Project
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.judge.run import run as run_suites
    from promptbench.workflows.judge.run_report import run_report
    from promptbench.workflows.store.labels import Who

    rendering = Rendering.of(format_, output, as_json=as_json, verbose=verbose, quiet=quiet)
    project = Project.open(flags={"concurrency": concurrency})
    selection = Selection(
        tuple(suites or ()),
        tuple(prompt or ()),
        tuple(model or ()),
        tuple(case or ()),
        tuple(tag or ()),
        shard=_shard(shard),
        changed=changed or changed_since is not None,
        since=changed_since,
    )
    spending = Spending.read(max_cost, max_calls, max_minutes)
    if dry_run:
        return _dry_run(project, selection, as_json=as_json)
    with rendering.errors(project), Progress(quiet=quiet) as progress:
        reports = run_suites(
            project,
            selection,
            promote=promote,
            spending=spending,
            cache=cache,
            evidence=rendering.wants("evidence"),
            allow_no_keys=allow_no_keys,
            who=Who(actor, reason),
            listen=progress.listen,
        )
    return rendering.write(project, list(map(run_report, reports)), exit_zero=exit_zero)


def _shard(written: str | None) -> RunShard | None:
    from promptbench.engine.shards import Shard as RunShard

    try:
        return RunShard.parse(written) if written else None
    except ValueError as error:
        raise InputError(f"'{written}' is not a valid shard: {error}") from None


def format_estimate(estimate: Estimate) -> str:
    """Return the estimated tokens and cost of calls; empty for a model without tokens."""
    if not estimate.input_tokens:
        return ""
    cost = (
        "cost unknown" if estimate.cost is None else f"about ${estimate.cost:.4f}" if estimate.cost else "local, free"
    )
    given, made = f"{estimate.input_tokens:,} tokens in", f"{estimate.output_tokens:,} out"
    return f"; estimated {given} (characters / 4), up to {made}, {cost}"


def _dry_run(project: Project, selection: Selection, *, as_json: bool) -> int:
    from dataclasses import asdict
    from textwrap import fill

    from promptbench.cli.output import out, out_json
    from promptbench.core.words import number_of
    from promptbench.workflows.judge.run import plan

    plans = plan(project, selection)
    if as_json:
        out_json({"schema_version": 1, "suites": [asdict(item) for item in plans]})
        return Exit.YES
    for item in plans:
        against = f"against {item.champion}" if item.champion else "without a version in production"
        out(f"{item.suite}: {', '.join(item.candidates)} {against}, {number_of(item.cases, 'case')}")
        for model, questions in item.questions.items():
            role = "" if model in item.gated else " (baseline, not judged)"
            out(f"  would call {model}: {number_of(questions, 'request')}{role}{format_estimate(item.expected[model])}")
        for judge, estimate in item.judges.items():
            most = number_of(estimate.calls, "request")
            out(f"  would call the judge {judge}: up to {most}{format_estimate(estimate)}")
        for line in item.could_tell:
            out(fill(line, 80, initial_indent="  ", subsequent_indent="    "))
    return Exit.YES
