"""`promptbench runs`: list, show, merge and prune runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import ExitZero, Format, JsonFormat, Output, Run
from promptbench.cli.report import report, rescore
from promptbench.cli.runs_prune import prune
from promptbench.core.errors import Exit

runs = typer.Typer(help="List, show, report, judge again, merge and prune runs.", no_args_is_help=True)
runs.command("report")(report)
runs.command("gate", help="Judge a recorded run again, by the suite's gate as it is now. Calls no model.")(report)
runs.command("rescore")(rescore)
runs.command("prune")(prune)

Suite = Annotated[str | None, typer.Option("--suite", metavar="NAME", help="Only runs of this suite.")]
Prompt = Annotated[str | None, typer.Option("--prompt", metavar="NAME", help="Only runs about this prompt.")]
Model = Annotated[str | None, typer.Option("--model", metavar="PROVIDER/NAME", help="Only runs with this model.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="The number of runs, newest first.")]


class Metric(StrEnum):
    """The figure of a history."""

    ANSWERS = "answers"
    FORMAT = "format"
    P50 = "p50"
    P99 = "p99"
    COST = "cost"


@runs.command("list")
def list_(
    suite: Suite = None,
    prompt: Prompt = None,
    model: Model = None,
    limit: Limit = 20,
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
) -> int:
    """List the newest runs with their verdicts, the newest first."""
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project
    from promptbench.workflows.upkeep.runs import list_runs, runs_report

    rendering, project = Rendering.of(format_, output, as_json=as_json), Project.open()
    found = list_runs(project, suite=suite, prompt=prompt, model=model, limit=limit)
    return rendering.write(project, [runs_report(found)])


@runs.command("show")
def show(run: Run = "latest", format_: Format = "terminal", as_json: JsonFormat = False, output: Output = None) -> int:
    """Show a run as it was judged, with its figures. `promptbench runs report` judges it again."""
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project
    from promptbench.workflows.upkeep.runs import run_details_report, show_run

    rendering, project = Rendering.of(format_, output, as_json=as_json), Project.open()
    return rendering.write(project, [run_details_report(show_run(project, run))])


@runs.command("history")
def history(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A suite, or a prompt that suites test.")],
    metric: Annotated[
        Metric, typer.Option("--metric", help="Correct or well-formed answers, times, or dollars per 1,000 calls.")
    ] = Metric.ANSWERS,
    model: Model = None,
    limit: Limit = 20,
    format_: Format = "terminal",
    as_json: JsonFormat = False,
    output: Output = None,
) -> int:
    """Show one figure of every prompt and model, run after run.

    From finished runs of whole suites, the oldest first.
    """
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project
    from promptbench.workflows.upkeep.runs import run_history, run_history_report

    rendering, project = Rendering.of(format_, output, as_json=as_json), Project.open()
    found = run_history(project, name, model=model, limit=limit)
    return rendering.write(project, [run_history_report(found, metric.value)])


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
    """Merge the runs of all shards into one, and judge it. Makes no call.

    Reports and exits like one run of all cases, and the run can be promoted.
    """
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project
    from promptbench.workflows.judge.merge_runs import merge_runs
    from promptbench.workflows.judge.run_report import run_report

    rendering = Rendering.of(format_, output, as_json=as_json)
    project = Project.open()
    reports = merge_runs(project, files or [], evidence=rendering.wants("evidence"))
    return rendering.write(project, list(map(run_report, reports)), exit_zero=exit_zero)


@runs.command("durations")
def durations(suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")]) -> int:
    """Write durations.json, so that shards take equally long.

    From the suite's newest run, next to the suite; `run --shard` reads it. Commit it: all machines must split alike.
    """
    from promptbench.cli.output import out
    from promptbench.project import Project
    from promptbench.workflows.judge.merge_runs import durations

    out(f"wrote {durations(Project.open(), suite)}: commit it, so that all machines split alike")
    return Exit.YES
