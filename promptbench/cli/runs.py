"""`promptbench runs`: the runs on record."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli import gate, repairs, report, rescore, runs_prune
from promptbench.cli.options import AsJson, ExitZero, Format, JsonFormat, Output, Run
from promptbench.core.errors import Exit

runs = typer.Typer(help="List, show, report, judge again, merge and prune the runs on record.", no_args_is_help=True)

Suite = Annotated[str | None, typer.Option("--suite", metavar="NAME", help="Only runs of this suite.")]
Prompt = Annotated[str | None, typer.Option("--prompt", metavar="NAME", help="Only runs about this prompt.")]
Model = Annotated[str | None, typer.Option("--model", metavar="PROVIDER/NAME", help="Only runs with this model.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many runs, the newest ones.")]


class Metric(StrEnum):
    """What a history is of."""

    ANSWERS = "answers"
    FORMAT = "format"
    P50 = "p50"
    P99 = "p99"
    COST = "cost"


def register(app: typer.Typer) -> None:
    for command in (report, gate, rescore, repairs, runs_prune):
        command.register(runs)
    app.add_typer(runs, name="runs")


@runs.command("list")
def list_(
    suite: Suite = None, prompt: Prompt = None, model: Model = None, limit: Limit = 20, as_json: AsJson = False
) -> int:
    """The newest runs with their verdicts, the newest first."""
    from promptbench import api
    from promptbench.cli.output import out_json, out_lines
    from promptbench.cli.run_tables import listed

    found = api.list_runs(api.Project.open(), suite=suite, prompt=prompt, model=model, limit=limit)
    if as_json:
        out_json({"schema_version": 1, "runs": [asdict(run) for run in found]})
    else:
        out_lines(listed(found))
    return Exit.YES


@runs.command("show")
def show(run: Run = "latest", as_json: AsJson = False) -> int:
    """One run as it was judged then, with its figures. `promptbench report` judges it again."""
    from promptbench import api
    from promptbench.cli.output import out_json, out_lines
    from promptbench.cli.run_tables import shown

    found = api.show_run(api.Project.open(), run)
    if as_json:
        out_json({"schema_version": 1, **asdict(found)})
    else:
        out_lines(shown(found))
    return Exit.YES


@runs.command("history")
def history(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A suite, or a prompt that suites test.")],
    metric: Annotated[
        Metric, typer.Option("--metric", help="Right or well-formed answers, times, or dollars for 1,000 calls.")
    ] = Metric.ANSWERS,
    model: Model = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> int:
    """One figure of every prompt and model, run after run.

    Of finished runs of whole suites, the oldest first.
    """
    from promptbench import api
    from promptbench.cli.output import out_json, out_lines
    from promptbench.cli.run_tables import traced

    found = api.run_history(api.Project.open(), name, model=model, limit=limit)
    if as_json:
        out_json({"schema_version": 1, "metric": metric.value, "runs": [asdict(item) for item in found]})
    else:
        out_lines(traced(found, metric.value))
    return Exit.YES


@runs.command("merge")
def merge(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="runs.sqlite of each shard, or its folder; the project's own by default."),
    ] = None,
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
    exit_zero: ExitZero = False,
) -> int:
    """Make one run of the runs of all shards, and judge it. Asks no model.

    Reports and exits as one run of all cases does, and the run can be promoted.
    """
    from promptbench import api
    from promptbench.cli.rendering import Rendering

    rendering = Rendering.of("json" if as_json else format_, output)
    project = api.Project.open()
    reports = api.merge_runs(project, files or [], evidence=rendering.wants("evidence"))
    return rendering.write(project, reports, exit_zero=exit_zero)


@runs.command("durations")
def durations(suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")]) -> int:
    """Write durations.json, by which shards take equally long.

    It stands beside the suite and is of its newest run; `run --shard` reads it.

    Commit it: all machines must split alike.
    """
    from promptbench import api
    from promptbench.cli.output import out

    out(f"wrote {api.durations(api.Project.open(), suite)}: commit it, so that all machines split alike")
    return Exit.YES
