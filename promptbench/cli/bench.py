"""`promptbench bench`: how long calls take and what they cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from promptbench.cli.options import AsJson, MaxCalls, MaxCost, MaxMinutes, Models, Quiet, variables
from promptbench.core.errors import Exit, InputError

if TYPE_CHECKING:
    from promptbench.api import MeasurementReport, MeasurePlan, Project

_Format = Literal["terminal", "plain", "json", "markdown"]


def register(app: typer.Typer) -> None:
    app.command("bench")(bench)


def bench(
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
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", min=1, help="Calls at once, each after one that has ended; by default 1."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=0.001, help="Calls a second to each model, sent when due whatever is under way."),
    ] = None,
    arrivals: Annotated[
        Literal["poisson", "constant"] | None,
        typer.Option("--arrivals", help="With --rate: at random, or evenly; poisson by default."),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="When calls arrive: seconds, one a line.")
    ] = None,
    warm_up: Annotated[int, typer.Option("--warm-up", min=0, help="Calls to each model that are not counted.")] = 2,
    seed: Annotated[int, typer.Option("--seed", help="For what is drawn: arrivals, and the order of models.")] = 1,
    per_month: Annotated[
        int | None, typer.Option("--per-month", min=0, metavar="N", help="Interactions a month, for their cost.")
    ] = None,
    from_: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="LOG", help="Take the calls of log files, by model, and ask nobody."),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="List what was measured: of a suite or prompt, or all.")
    ] = False,
    show: Annotated[
        str | None, typer.Option("--show", metavar="NAME", help="Show a measurement on record, or the `latest`.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked, and its price; ask nothing.")
    ] = False,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
    format_: Annotated[_Format, typer.Option("--format", help="What to print.")] = "terminal",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Measure time and cost of a prompt on several models. Says which model to take, and why.

    Models are called in turns. Latency counts from the moment at which a call was due.
    """
    from promptbench import api
    from promptbench.cli.progress import Progress

    chosen: _Format = "json" if as_json else format_
    project = api.Project.open()
    if from_:
        _print(api.measured_in_logs(from_, per_month=per_month, stdin=sys.stdin.buffer), chosen)
        return Exit.YES
    if show is not None:
        _print(api.show_measurement(project, show, per_month=per_month), chosen)
        return Exit.YES
    if history:
        return _history(project, target, chosen)
    if target is None:
        raise InputError("nothing is named to measure", hint="name a prompt's file or a suite, or --from LOG")
    options = api.MeasureOptions(
        load=api.load_of(rate, arrivals, concurrency, trace),
        calls=calls,
        warm_up=warm_up,
        models=tuple(model or ()),
        variables=variables(var or ()),
        seed=seed,
        per_month=per_month,
    )
    if dry_run:
        return _dry_run(api.plan_measurement(project, target, options), as_json=chosen == "json")
    spending = api.Spending.read(max_cost, max_calls, max_minutes)
    with Progress(quiet=quiet) as progress:
        done = api.measure(project, target, options, spending, progress.listen)
    _print(done.report, chosen)
    return done.exit


def _print(report: MeasurementReport, chosen: _Format) -> None:
    from promptbench.cli.output import out_json, out_lines, target
    from promptbench.report import measurement_markdown, measurement_text

    if chosen == "json":
        out_json(report.as_dict())
    elif chosen == "markdown":
        out_lines(measurement_markdown.lines(report))
    else:
        out_lines(measurement_text.lines(report, min(target().width, 80) if chosen == "terminal" else 100))


def _history(project: Project, target: Path | None, chosen: _Format) -> int:
    from promptbench import api
    from promptbench.cli.output import out_json, out_lines
    from promptbench.report import measurement, measurement_text

    found = api.measurements(project, about=target.name.partition(".")[0] if target else None)
    if chosen == "json":
        out_json(measurement.history_dict(found))
    else:
        out_lines(measurement_text.history(found, 80))
    return Exit.YES


def _dry_run(plan: MeasurePlan, *, as_json: bool) -> int:
    from dataclasses import asdict

    from promptbench.cli.output import out, out_json
    from promptbench.cli.run import format_estimate

    if as_json:
        out_json({"schema_version": 1, **asdict(plan)})
        return Exit.YES
    least = "" if plan.seconds is None else f", for at least {plan.seconds:,.0f} s"
    out(f"{plan.prompt}, {plan.cases} cases{least}")
    for name, estimate in plan.expected.items():
        out(f"  would make {estimate.calls} calls to {name}{format_estimate(estimate)}")
    return Exit.YES
