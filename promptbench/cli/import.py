"""`promptbench import`: production logs into the record, redacted."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import AsJson, FailedOnly, LoggedModels, Since, Where, call_filter
from promptbench.core.errors import Exit, InputError

if TYPE_CHECKING:
    from promptbench.api import Imported, ImportOptions


def register(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders or patterns; - reads a pipe. Also .gz.")
    ],
    format_: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Read them as this format, whatever they look like.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help="Which column of a table holds what: answer=reply_text."),
    ] = None,
    failed_only: FailedOnly = False,
    since: Since = None,
    model: LoggedModels = None,
    where: Where = None,
    no_redact: Annotated[
        bool, typer.Option("--no-redact", help="Keep personal data and secrets as they are in the log.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported; keep nothing.")] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> int:
    """Import production logs, with personal data replaced. Each call is kept once, however often it is imported."""
    from promptbench import api
    from promptbench.cli.output import out_json, say
    from promptbench.cli.progress import ImportProgress

    wanted = api.ImportOptions(
        filter=call_filter(failed_only, since, model, where),
        format=format_,
        columns=_columns(columns or ()),
        redact=not no_redact,
        dry_run=dry_run,
    )
    if no_redact:
        say("warning: nothing is redacted: personal data and secrets are kept as they are in the log")
    project = api.Project.open()
    if format_ is None and not columns and sys.stdin.isatty() and sys.stderr.isatty():
        wanted = _asked(paths, wanted)
    try:
        with ImportProgress(quiet=quiet) as progress:
            done = api.import_logs(project, paths, wanted, sys.stdin.buffer, progress.listen)
    except api.NothingImported as error:
        if as_json:
            out_json(error.done.as_dict())
        else:
            _print(error.done)
        raise
    if as_json:
        out_json(done.as_dict())
    else:
        _print(done)
    return Exit.YES


def _columns(written: Sequence[str]) -> dict[str, str]:
    pairs = [item.partition("=") for item in written]
    for name, equals, column in pairs:
        if not (name and equals and column):
            raise InputError(f"'{name}' says of no column what it holds", hint="write it as --map answer=reply_text")
    return {name.strip(): column for name, _, column in pairs}


def _asked(paths: Sequence[str], wanted: ImportOptions) -> ImportOptions:
    """Asks somebody at a terminal for the columns that a table does not name as others do."""
    from dataclasses import replace

    from promptbench import api
    from promptbench.cli.output import say
    from promptbench.report.words import clean

    answers: dict[str, str] = {}
    for file, names, lacking in api.unmapped(paths):
        say(f"{clean(file)} has the columns {clean(', '.join(names))}")
        for name in lacking:
            column = typer.prompt(f"which of them holds the {name}? (empty: none)", default="", err=True)
            if column in names:
                answers[name] = column
    return replace(wanted, columns=answers) if answers else wanted


def _print(done: Imported) -> None:
    from promptbench.cli.output import out
    from promptbench.core.words import number_of
    from promptbench.report.words import clean

    for file in done.files:
        if file.saw and not file.format:
            out(f"{clean(file.name)}: left out, it {clean(file.saw.removeprefix('it '))}")
        elif file.format:
            bad = f", {file.bad:,} bad" if file.bad else ""
            out(f"{clean(file.name)}: {file.format.replace('_', ' ')}, {number_of(file.calls, 'call')}{bad}")
    for name, record in done.bad:
        out(f"  {clean(name)}, {record.place}: {clean(record.reason)}")
    if more := done.total("bad") - len(done.bad):
        out(f"  and {number_of(more, 'more bad record')}")
    failed = _counts(done.tiers)
    out(f"failed: {failed}" if failed else "failed: none of them")
    if done.redacted is not None:
        replaced = _counts(done.redacted)
        out(f"redacted before anything was written: {replaced or 'nothing'}")
    out(_last(done))


def _last(done: Imported) -> str:
    from promptbench.core.words import number_of

    selected, added = done.total("selected"), done.total("added")
    parts = [f"{added:,} new", f"{selected - added:,} already there"]
    if left := done.total("calls") - selected:
        parts.append(f"{left:,} left out by the filters")
    verb = "would import" if done.dry_run else "imported"
    step = "" if done.dry_run or not done.tiers else "; `promptbench failures` shows what failed"
    return f"{verb} {number_of(selected, 'call')}: {', '.join(parts)}{step}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
