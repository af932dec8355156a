"""`promptbench runs prune`: old runs leave the record."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from promptbench.cli.options import AsJson
from promptbench.core.call_filter import parse_since
from promptbench.core.errors import Exit, InputError
from promptbench.core.words import number_of


def register(group: typer.Typer) -> None:
    group.command("prune")(prune)


def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="WHEN", help="Runs from before then: 90d, 24h or 2026-08-01.")
    ],
    recordings: Annotated[
        bool, typer.Option("--recordings", help="Recordings from before then too, where no run that stays asked them.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    as_json: AsJson = False,
) -> int:
    """Remove old runs for good, and what only they needed.

    A run stays that proves a version with a label, or is the newest of its suite. Imported calls stay, and the prompt
    store keeps all of its history.
    """
    from promptbench import api
    from promptbench.cli.output import out, out_json

    try:
        before = parse_since(older_than)
    except ValueError:
        raise InputError(f"'{older_than}' is no time", hint="write --older-than 90d, or 24h, or 2026-08-01") from None
    done = api.prune(api.Project.open(), before, recordings=recordings, dry_run=dry_run)
    if as_json:
        out_json({"schema_version": 1, "dry_run": dry_run, **asdict(done)})
        return Exit.YES
    for run, reason in done.kept.items():
        out(f"{run} stays: {reason}")
    if dry_run:
        for run in done.runs:
            out(f"{run} would go")
        out(f"{number_of(len(done.runs), 'run')} would go; the same command without --dry-run removes them for good")
        return Exit.YES
    gone = [(done.removed.runs, "run"), (done.removed.answers, "answer"), (done.removed.recordings, "recording")]
    told = [number_of(count, word) for count, word in gone if count or word == "run"]
    told += [f"{number_of(done.removed.cached, 'answer')} of the cache"] if done.removed.cached else []
    out(f"removed {', '.join(told)}; {(done.bytes_before - done.bytes_after) / 1e6:.1f} MB are free again")
    if not done.compacted:
        out("  another process is at work on the record: prune again later, and the disk gets its room back")
    return Exit.YES
