"""`promptbench runs`: list, show, judge again, merge and prune runs."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from promptbench.cli.options import (
    Cluster,
    CommandLine,
    Lines,
    Project,
    Reports,
    Run,
    prints,
    reports,
    run_verdicts,
    time_of,
)
from promptbench.core.errors import Exit
from promptbench.core.words import number_of

runs = typer.Typer(help="List, show, report, judge again, add up, merge and prune runs.", no_args_is_help=True)

Suite = Annotated[str | None, typer.Option("--suite", metavar="NAME", help="Only runs of this suite.")]
Prompt = Annotated[str | None, typer.Option("--prompt", metavar="NAME", help="Only runs about this prompt.")]
Model = Annotated[str | None, typer.Option("--model", metavar="PROVIDER/NAME", help="Only runs with this model.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="The number of runs, newest first.")]


@runs.command("list")
@reports
def list_(
    command: CommandLine,
    suite: Suite = None,
    prompt: Prompt = None,
    model: Model = None,
    limit: Limit = 20,
) -> Reports:
    """List the newest runs with their verdicts, the newest first."""
    from promptbench.workflows.upkeep.runs import list_runs, runs_report

    return [runs_report(list_runs(command.project, suite=suite, prompt=prompt, model=model, limit=limit))]


@runs.command("show")
@reports
def show(command: CommandLine, run: Run = "latest") -> Reports:
    """Show a run as it was judged, with its figures. `promptbench runs report` judges it again."""
    from promptbench.workflows.upkeep.runs import run_details_report

    return [run_details_report(command.project, run)]


@runs.command("history")
@reports
def history(
    command: CommandLine,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A suite, or a prompt that suites test.")],
    metric: Annotated[
        Literal["answers", "format", "p50", "p99", "cost"],
        typer.Option("--metric", help="Correct or well-formed answers, times, or dollars per 1,000 calls."),
    ] = "answers",
    model: Model = None,
    limit: Limit = 20,
) -> Reports:
    """Show one figure of every prompt and model, run after run.

    From finished runs of whole suites, the oldest first.
    """
    from promptbench.workflows.upkeep.runs import run_history_report

    return [run_history_report(command.project, name, metric, model=model, limit=limit)]


@runs.command("usage")
@reports
def usage(
    command: CommandLine,
    by: Annotated[
        Literal["day", "model", "suite", "prompt", "judge"],
        typer.Option("--by", help="What to add up by; `judge` has calls to judges only."),
    ] = "day",
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="Only calls since a time: 2026-11-01, 7d or 24h.")
    ] = None,
) -> Reports:
    """Add up calls, tokens and costs on record, those of judges apart.

    From runs and `bench`. Failed tries count as calls; answers from the cache or a record do not.
    """
    from promptbench.workflows.upkeep.runs import usage_report

    start = time_of("--since", since) if since else None
    return [usage_report(command.project, by, start)]


@runs.command("merge")
@run_verdicts
def merge(
    command: CommandLine,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="runs.sqlite of each shard, or its folder; the project's own by default."),
    ] = None,
) -> Reports:
    """Merge the runs of all shards into one, and judge it. Makes no call.

    Reports and exits like one run of all cases, and the run can be promoted.
    """
    from promptbench.workflows.judge.merge_runs import merge_runs
    from promptbench.workflows.judge.run_report import run_report

    reports = merge_runs(command.project, files or [], evidence=command.rendering.wants("evidence"))
    return list(map(run_report, reports))


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


@runs.command("gate", help="Judge a recorded run again, by the suite's gate as it is now. Calls no model.")
@runs.command("report")
@run_verdicts
def report(
    command: CommandLine,
    run: Run = "latest",
) -> Reports:
    """Show a recorded run or comparison again, in any format. Calls no model.

    A run is judged by the suite's gate as it is now. The exit code is that of the verdict.
    """
    from promptbench.workflows.judge import rejudge
    from promptbench.workflows.judge.run_report import run_report

    found = rejudge.gate_run(command.project, run, evidence=command.rendering.wants("evidence"))
    return [run_report(found)]


@runs.command("rescore")
@run_verdicts
def rescore(
    command: CommandLine,
    run: Run = "latest",
    cluster: Cluster = None,
) -> Reports:
    """Score and judge a run's answers again, by today's checks. Calls no model."""
    from promptbench.workflows.judge import rejudge
    from promptbench.workflows.judge.run_report import run_report

    return [run_report(rejudge.rescore(command.project, run))]


@runs.command("cancel")
@prints
def cancel(project: Project, run: Run = "latest") -> Lines:
    """Cancel the batches of a run at their providers.

    What they have answered is billed, and read when the command of the run continues it.
    """
    from promptbench.workflows.judge.batches import cancel_batches

    cancelled = cancel_batches(project, run)
    yield {"cancelled": cancelled}
    for batch, model in cancelled.items():
        yield f"cancelled {batch} of {model}"
    if not cancelled:
        yield "no batch is in progress"
    return Exit.YES


@runs.command("prune")
@prints
def prune(
    project: Project,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="WHEN", help="Runs from before then: 90d, 24h or 2026-08-01.")
    ],
    recordings: Annotated[
        bool, typer.Option("--recordings", help="Also recordings from before then that no remaining run uses.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")] = False,
) -> Lines:
    """Remove old runs and what only they used, permanently.

    Runs that prove a labelled version stay, and so does the newest of each suite. Imported calls and the prompt store
    are not touched.
    """
    from promptbench.workflows.upkeep.prune import prune

    done = prune(project, time_of("--older-than", older_than), recordings=recordings, dry_run=dry_run)
    yield {"dry_run": dry_run, **asdict(done)}
    for run, reason in done.kept.items():
        yield f"{run} stays: {reason}"
    if dry_run:
        for run in done.runs:
            yield f"{run} would be removed"
        yield f"{number_of(len(done.runs), 'run')} would be removed; the same command without --dry-run removes them"
        return Exit.YES
    gone = [(done.removed.runs, "run"), (done.removed.answers, "answer"), (done.removed.recordings, "recording")]
    counts = [number_of(count, word) for count, word in gone if count or word == "run"]
    counts += [f"{number_of(done.removed.cached, 'cached answer')}"] if done.removed.cached else []
    yield f"removed {', '.join(counts)}; freed {(done.bytes_before - done.bytes_after) / 1e6:.1f} MB"
    if done.removed.runs:
        yield "  this cannot be undone; --dry-run lists the runs first"
    if not done.compacted:
        yield "  another process uses the record: prune again later to free the disk space"
    return Exit.YES
