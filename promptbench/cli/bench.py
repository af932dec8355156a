"""`promptbench bench`: how long calls take and what they cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from promptbench.cli.options import (
    Columns,
    CommandLine,
    LogModel,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Models,
    Reports,
    columns_of,
    reports,
    variables,
)
from promptbench.core.errors import Exit, InputError

if TYPE_CHECKING:
    from promptbench.workflows.measure.bench import MeasurePlan


@reports
def bench(
    command: CommandLine,
    target: Annotated[
        Path | None,
        typer.Argument(metavar="PROMPT|SUITE", help="A prompt's file, or a suite's file or folder."),
    ] = None,
    model: Models = None,
    var: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=TEXT", help="A value for a prompt without a suite; =@FILE reads a file."),
    ] = None,
    calls: Annotated[int, typer.Option("--calls", min=1, help="Calls to each model.")] = 100,
    at_once: Annotated[
        int | None,
        typer.Option("--concurrency", min=1, help="Concurrent calls; by default 1."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=0.001, help="Calls a second to each model, sent when due whatever is in flight."),
    ] = None,
    arrivals: Annotated[
        Literal["poisson", "constant"] | None,
        typer.Option("--arrivals", help="With --rate: at random, or evenly; poisson by default."),
    ] = None,
    warm_up: Annotated[int, typer.Option("--warm-up", min=0, help="Calls to each model that are not counted.")] = 2,
    seed: Annotated[int, typer.Option("--seed", help="For what is drawn: arrivals, and the order of models.")] = 1,
    per_month: Annotated[
        int | None, typer.Option("--per-month", min=0, metavar="N", help="Interactions a month, for their cost.")
    ] = None,
    from_: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="LOG", help="Use the calls in log files, by model, and make none."),
    ] = None,
    columns: Columns = None,
    log_model: LogModel = "",
    history: Annotated[
        bool, typer.Option("--history", help="List recorded measurements, of a suite or prompt or all.")
    ] = False,
    show: Annotated[
        str | None, typer.Option("--show", metavar="NAME", help="Show a recorded measurement, or the `latest`.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the calls to be made and their price; make none.")
    ] = False,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
) -> Reports:
    """Measure latency and cost of a prompt on several models. Recommends a model, and says why.

    Recommends a model. Models are called in turns. Latency counts from the moment at which a call was due.
    """
    from promptbench.cli.progress import Progress
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.measure.bench import (
        MeasureOptions,
        load_of,
        measure,
        measurements,
        plan_measurement,
        show_measurement,
    )
    from promptbench.workflows.measure.bench_report import bench_report, history_report
    from promptbench.workflows.measure.measured_calls import measured_in_logs

    if from_:
        measured = measured_in_logs(
            from_, per_month=per_month, stdin=sys.stdin.buffer, columns=columns_of(columns), model=log_model
        )
        return [bench_report(measured)]
    if show is not None:
        found = show_measurement(command.project, show, per_month=per_month)
        return [bench_report(found)]
    if history:
        about = target.name.partition(".")[0] if target else None
        return [history_report(measurements(command.project, about=about))]
    if target is None:
        raise InputError("nothing to measure", hint="name a prompt's file or a suite, or --from LOG")
    options = MeasureOptions(
        load=load_of(rate, arrivals, at_once),
        calls=calls,
        warm_up=warm_up,
        models=tuple(model or ()),
        variables=variables(var or ()),
        seed=seed,
        per_month=per_month,
    )
    if dry_run:
        return _dry_run(plan_measurement(command.project, target, options), as_json=command.as_json)
    spending = Spending.read(max_cost, max_calls, max_minutes)
    with Progress(quiet=command.quiet) as progress:
        measured, code = measure(command.project, target, options, spending, progress.listen)
    command.rendering.write(command.project, [bench_report(measured)])
    return code


def _dry_run(plan: MeasurePlan, *, as_json: bool) -> int:
    from dataclasses import asdict

    from promptbench.cli.output import out, out_json
    from promptbench.workflows.judge.budgets import describe_estimate

    if as_json:
        out_json({"schema_version": 1, **asdict(plan)})
        return Exit.YES
    least = "" if plan.seconds is None else f", for at least {plan.seconds:,.0f} s"
    out(f"{plan.prompt}, {plan.cases} cases{least}")
    for name, estimate in plan.expected.items():
        out(f"  would make {estimate.calls} calls to {name}{describe_estimate(estimate)}")
    return Exit.YES
