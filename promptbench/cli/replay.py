"""`promptbench replay`: score logged answers with a suite's checks, or send the inputs again."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from promptbench.cli.options import (
    Cluster,
    Columns,
    CommandLine,
    Concurrency,
    FailedOnly,
    First,
    LoggedModels,
    LogModel,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Reports,
    Sample,
    Seed,
    Since,
    Where,
    call_filter,
    columns_of,
    reports,
)
from promptbench.cli.output import out, out_json, say
from promptbench.core.errors import Exit, InputError
from promptbench.core.subset import Subset
from promptbench.core.words import number_of


@reports
def replay(
    command: CommandLine,
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")],
    log: Annotated[
        list[str] | None, typer.Option("--log", metavar="FILE", help="Calls of a log file, not the imported ones.")
    ] = None,
    columns: Columns = None,
    log_model: LogModel = "",
    ask: Annotated[
        bool, typer.Option("--ask", help="Send the logged inputs again, to production and candidate on every model.")
    ] = False,
    rescore_only: Annotated[
        bool, typer.Option("--rescore-only", help="Only score the logged answers, the default.")
    ] = False,
    failed_only: FailedOnly = False,
    since: Since = None,
    model: LoggedModels = None,
    where: Where = None,
    first: First = None,
    sample: Sample = None,
    seed: Seed = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --ask: print the calls and their estimated cost, and make none.")
    ] = False,
    concurrency: Concurrency = None,
    cluster: Cluster = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
) -> Reports:
    """Report which failures of a production log are fixed by now.

    By default the suite's checks score the logged answers; with --ask the inputs are sent again. Logged failures are
    not the whole suite, so a replay cannot be promoted.
    """
    from promptbench.cli.progress import Progress
    from promptbench.project import Selection
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.logs.failures import log_files, select_for_replay
    from promptbench.workflows.logs.replay import replay as replay_log, replay_answers, replay_report

    if ask and rescore_only:
        raise InputError("--ask and --rescore-only exclude each other", hint="leave one of them out")
    part = Subset(first, sample, seed)
    logs = log_files(log, columns_of(columns), log_model)
    calls = select_for_replay(command.project, logs, call_filter(failed_only, since, model, where), part)
    if not ask:
        return [replay_answers(command.project, suite, calls, logs.bad)]
    with Progress(quiet=command.quiet) as progress:
        report = replay_log(
            command.project,
            Selection(paths=(suite,)),
            calls,
            command=_command(
                suite,
                failed_only,
                {
                    "--log": log,
                    "--map": columns,
                    "--log-model": [log_model or None],
                    "--since": [since],
                    "--model": model,
                    "--where": where,
                    **{f"--{flag}": values for flag, values in part.flags.items()},
                },
            ),
            spending=Spending.read(max_cost, max_calls, max_minutes),
            announce=partial(_announce, dry_run=dry_run, as_json=command.as_json),
            listen=progress.listen,
            dry_run=dry_run,
            bad=logs.bad,
        )
    return Exit.YES if report is None else command.rendering.write(command.project, [replay_report(report)])


def _command(suite: Path, failed_only: bool, options: Mapping[str, Sequence[object] | None]) -> list[str]:
    # The command resumes this replay, or shows its result again.
    words = ["promptbench", "replay", str(suite), "--ask"]
    for flag, values in options.items():
        words += [word for value in values or () if value is not None for word in (flag, str(value))]
    return [*words, *(["--failed-only"] if failed_only else [])]


def _announce(failures: int, expected: Mapping[str, Any], *, dry_run: bool, as_json: bool) -> None:
    # `expected` has an estimate for each model. For a dry run it is the result.
    from dataclasses import asdict

    from promptbench.workflows.judge.budgets import describe_estimate

    if dry_run and as_json:
        models = {model: asdict(estimate) for model, estimate in expected.items()}
        out_json({"schema_version": 1, "failures": failures, "expected": models})
        return
    for model, estimate in expected.items():
        calls = f"{number_of(estimate.calls, 'call')} to {model}{describe_estimate(estimate)}"
        line = f"{number_of(failures, 'logged failure')}: {calls}"
        out(line) if dry_run else say(line)
