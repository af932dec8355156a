"""`promptbench import`, `failures` and `capture`: import production logs, and make cases of failing calls."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import (
    AsJson,
    Columns,
    CommandLine,
    FailedOnly,
    LoggedModels,
    LogModel,
    Reports,
    Since,
    Where,
    call_filter,
    columns_of,
    reports,
)
from promptbench.cli.output import is_interactive, out, out_json, say
from promptbench.core.errors import Exit, InputError
from promptbench.core.words import number_of
from promptbench.report.words import clean, excerpt

if TYPE_CHECKING:
    from promptbench.workflows.logs.import_logs import ImportReport


_MOST_CAUSES = 10


def import_(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders or patterns; - reads a pipe. Also .gz.")
    ],
    format_: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="The log format; by default it is detected.")
    ] = None,
    columns: Columns = None,
    log_model: LogModel = "",
    failed_only: FailedOnly = False,
    since: Since = None,
    model: LoggedModels = None,
    where: Where = None,
    no_redact: Annotated[bool, typer.Option("--no-redact", help="Keep personal data and secrets of the log.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be imported; write nothing.")] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> int:
    """Import production logs, with personal data replaced. A call is stored once, even if it is imported again."""
    from promptbench.cli.progress import ImportProgress
    from promptbench.project import Project
    from promptbench.workflows.logs.import_logs import import_logs

    selected = call_filter(failed_only, since, model, where)
    mapping = columns_of(columns)
    if no_redact:
        say("warning: nothing is redacted: personal data and secrets are stored as they are in the log")
    project = Project.open()
    if format_ is None and not mapping and is_interactive():
        mapping = _ask_columns(paths)
    with ImportProgress(quiet=quiet) as progress:
        done = import_logs(
            project,
            paths,
            sys.stdin.buffer,
            call_filter=selected,
            format=format_,
            columns=mapping,
            model=log_model,
            redact=not no_redact,
            dry_run=dry_run,
            listen=progress.listen,
        )
    if as_json:
        out_json(done.as_dict())
    else:
        _print(done)
    if done.error:
        raise done.error
    return Exit.YES


def _ask_columns(paths: Sequence[str]) -> dict[str, str]:
    from promptbench.workflows.logs.import_logs import find_unmapped_tables

    answers: dict[str, str] = {}
    for file, names, missing in find_unmapped_tables(paths):
        say(f"{clean(file)} has the columns {clean(', '.join(names))}")
        for name in missing:
            column = typer.prompt(f"which of them holds the {name}? (empty: none)", default="", err=True)
            if column in names:
                answers[name] = column
    return answers


def _print(done: ImportReport) -> None:
    for file in done.files:
        if file.saw and not file.format:
            out(f"{clean(file.name)}: left out, it {clean(file.saw.removeprefix('it '))}")
        elif file.format:
            bad = f", {file.bad:,} bad" if file.bad else ""
            out(f"{clean(file.name)}: {file.format.replace('_', ' ')}, {number_of(file.calls, 'call')}{bad}")
    for name, record in done.bad:
        out(f"  {clean(name)}, {record.place}: {clean(record.reason)}")
    if more := done.total("bad") - len(done.bad):
        out(f"  and {number_of(more, 'more bad record')}; all by cause:")
        for cause, count in done.causes.most_common(_MOST_CAUSES):
            out(f"  {count:,} × {clean(cause)}")
    out(f"failed: {_counts(done.tiers) or 'none of them'}")
    if done.redacted is not None:
        out(f"redacted before anything was written: {_counts(done.redacted) or 'nothing'}")
    selected, added = done.total("selected"), done.total("added")
    parts = [f"{added:,} new", f"{selected - added:,} already there"]
    if left := done.total("calls") - selected:
        parts.append(f"{left:,} left out by the filters")
    if added < selected and done.total("without_model"):
        say("hint: calls that name no model are equal in the logs of several models: --log-model NAME names it")
    verb = "would import" if done.dry_run else "imported"
    step = "" if done.dry_run or not done.tiers else "; `promptbench failures` shows what failed"
    out(f"{verb} {number_of(selected, 'call')}: {', '.join(parts)}{step}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


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


def capture(
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")],
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Ids of imported calls; `promptbench failures` lists them.")
    ] = None,
    log: Annotated[
        list[str] | None, typer.Option("--log", metavar="FILE#ID", help="A call of a log file, without an import.")
    ] = None,
    columns: Columns = None,
    log_model: LogModel = "",
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="The failing cases of a run, or its cases named ID; or `latest`."),
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, metavar="N", help="The newest call of each of the N largest clusters.")
    ] = None,
    all_clusters: Annotated[
        bool, typer.Option("--all-clusters", help="The newest call of each cluster of failures.")
    ] = False,
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="YAML", help="The right answer, as under 'expect:' in a suite.")
    ] = None,
    should_be: Annotated[str | None, typer.Option("--should-be", metavar="TEXT", help="An ideal answer.")] = None,
    check: Annotated[
        list[str] | None, typer.Option("--check", metavar="YAML", help="A check as in a suite: 'contains: refund'.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag of the new cases.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be added, and write nothing.")] = False,
    as_json: AsJson = False,
) -> int:
    """Turn logged failures into cases of a suite.

    A call becomes a case only if its checks fail on its logged answer. Nothing else in the suite's file changes.
    """
    from promptbench.project import Project
    from promptbench.workflows.logs.capture import capture as capture_cases, read_capture_options
    from promptbench.workflows.logs.failures import (
        log_files,
        select_by_id,
        select_from_clusters,
        select_from_logs,
        select_from_run,
    )

    project = Project.open()
    options = read_capture_options(should_be=should_be, expect=expect, checks=check or (), tags=tag or ())
    calls = select_from_run(project, run, ids or ()) if run else select_by_id(project, ids or ())
    if log:
        calls += select_from_logs(project, log_files(log, columns_of(columns), log_model), dry_run=dry_run)
    if top or all_clusters:
        calls += select_from_clusters(project, suite, None if all_clusters else top)
    if not calls:
        raise InputError("no call is named", hint="name ids that `promptbench failures` shows, --top 5 or --run latest")
    report = capture_cases(project, suite, calls, options, dry_run=dry_run)
    code = Exit.NO if report.refused else Exit.YES
    if as_json:
        out_json(report.as_dict())
        return code
    if dry_run and report.added:
        out(report.added, end="")
    for item in report.captured:
        why = excerpt(item.red_by[0], 100) if item.red_by else ""
        more = f" (and {len(item.red_by) - 1} more)" if len(item.red_by) > 1 else ""
        out(f"red: '{clean(item.name)}' fails by {why}{more}")
        if item.proposed:
            out(f"  added {clean(item.proposed)}")
    for call_id, case in report.known:
        out(f"already there: '{clean(call_id)}' is the case '{clean(case)}'")
    for refused in report.refused:
        say(f"not captured: '{clean(refused.id)}': {clean(refused.reason)}")
        if refused.hint:
            say(f"  hint: {clean(refused.hint)}")
    changed = sum(item.changed for item in report.captured)
    verb = "would be added to" if dry_run else "added to"
    done = f"{number_of(len(report.captured) - changed, 'case')} {verb} {report.path}"
    if changed:
        done += f", {number_of(changed, 'case')} {'would be changed' if dry_run else 'changed'}"
    out(done + (f"; `git diff {report.path}` shows it" if report.written else ""))
    return code
