"""`promptbench failures`: list failing calls of imported logs and of the newest runs, by cause."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import (
    Columns,
    LoggedModels,
    LogModel,
    Since,
    Where,
    call_filter,
    columns_of,
)
from promptbench.cli.reporting import CommandLine, Reports, reports


@reports
def failures(
    command: CommandLine,
    suite: Annotated[
        Path | None, typer.Argument(metavar="SUITE", help="Also run this suite's checks on the logged answers.")
    ] = None,
    log: Annotated[
        list[str] | None, typer.Option("--log", metavar="FILE", help="Calls of a log file, not the recorded ones.")
    ] = None,
    columns: Columns = None,
    log_model: LogModel = "",
    since: Since = None,
    model: LoggedModels = None,
    where: Where = None,
    everything: Annotated[bool, typer.Option("--all", help="All clusters, not only the first 40.")] = False,
) -> Reports:
    """List failing calls, grouped by cause.

    Those of imported logs and of the newest runs; the largest group is first.
    """
    from promptbench.workflows.logs.failures import failures_report, find_failures, log_files

    logs = log_files(log, columns_of(columns), log_model)
    clusters = find_failures(command.project, suite, call_filter(False, since, model, where), logs)
    return [failures_report(clusters, everything=everything)]
