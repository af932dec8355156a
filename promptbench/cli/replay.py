"""`promptbench replay`: logged calls against a suite's checks, or asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import (
    AsJson,
    Concurrency,
    FailedOnly,
    LoggedModels,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Quiet,
    Since,
    Where,
    call_filter,
)
from promptbench.core.errors import Exit, InputError

if TYPE_CHECKING:
    from promptbench.api import Price


def register(app: typer.Typer) -> None:
    app.command("replay")(replay)


def replay(
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")],
    log: Annotated[
        list[Path] | None, typer.Option("--log", metavar="FILE", help="Calls of a log file, not the imported ones.")
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask the logged inputs again: champion and candidate, on every model.")
    ] = False,
    rescore_only: Annotated[
        bool, typer.Option("--rescore-only", help="Only score the logged answers; asks no model. The default.")
    ] = False,
    failed_only: FailedOnly = False,
    since: Since = None,
    model: LoggedModels = None,
    where: Where = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --ask: say what would be asked, and its price; ask nothing.")
    ] = False,
    concurrency: Concurrency = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Say what of a production log is fixed by now. By its own answers and today's checks, or by asking again.

    Nothing can be promoted by it, since logged failures are not the whole suite.
    """
    from promptbench import api
    from promptbench.cli.output import out, out_json
    from promptbench.cli.progress import Progress

    if ask and rescore_only:
        raise InputError("--ask and --rescore-only exclude each other", hint="leave one of them out")
    project = api.Project.open(flags={"concurrency": concurrency})
    calls = api.replayed_calls(project, log or (), call_filter(failed_only, since, model, where))
    if not ask:
        scored = api.replay_answers(project, suite, calls)
        if as_json:
            out_json(scored.as_dict())
        else:
            out("\n".join(scored.lines()))
        return Exit.YES
    with Progress(quiet=quiet) as progress:
        report = api.replay(
            project,
            api.Selection(paths=(suite,)),
            calls,
            command=_command(
                suite, {"--log": log, "--since": [since], "--model": model, "--where": where}, failed_only
            ),
            spending=api.Spending.read(max_cost, max_calls, max_minutes),
            tell=lambda price: _tell(price, dry_run=dry_run, as_json=as_json),
            listen=progress.listen,
            dry_run=dry_run,
        )
    if report is None:
        return Exit.YES
    if as_json:
        out_json(report.as_dict())
    else:
        out("\n".join(report.lines()))
    return report.exit


def _command(suite: Path, options: Mapping[str, Sequence[object] | None], failed_only: bool) -> list[str]:
    """The command that goes on with this replay, or says its result again."""
    words = ["promptbench", "replay", str(suite), "--ask"]
    for flag, values in options.items():
        words += [word for value in values or () if value is not None for word in (flag, str(value))]
    return [*words, *(["--failed-only"] if failed_only else [])]


def _tell(price: Price, *, dry_run: bool, as_json: bool) -> None:
    """What will be asked, before it is; of a dry run that is the result."""
    from dataclasses import asdict

    from promptbench.cli.output import out, out_json, say
    from promptbench.cli.run import format_estimate

    if dry_run and as_json:
        out_json({"schema_version": 1, **asdict(price)})
        return
    failures = f"{price.failures} logged {'failure' if price.failures == 1 else 'failures'}"
    for model, estimate in price.expected.items():
        line = f"{failures}: asks {model} {estimate.calls} questions{format_estimate(estimate)}"
        out(line) if dry_run else say(line)
