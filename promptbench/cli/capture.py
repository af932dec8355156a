"""`promptbench capture`: add logged failures to a suite as cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import AsJson, Columns, LogModel, columns_of
from promptbench.cli.output import out, out_json, say
from promptbench.core.errors import Exit, InputError
from promptbench.core.words import number_of
from promptbench.report.words import clean, excerpt


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
