"""`promptbench import`: import production logs, redacted."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.asking import is_interactive
from promptbench.cli.options import (
    AsJson,
    Columns,
    FailedOnly,
    LoggedModels,
    LogModel,
    Since,
    Where,
    call_filter,
    columns_of,
)
from promptbench.cli.output import out, out_json, say
from promptbench.core.errors import Exit
from promptbench.core.words import number_of
from promptbench.report.words import clean

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
