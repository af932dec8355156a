"""`promptbench runs prune`: remove old runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from promptbench.cli.options import AsJson
from promptbench.core.call_filter import parse_since
from promptbench.core.errors import Exit, InputError
from promptbench.core.words import number_of


def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="WHEN", help="Runs from before then: 90d, 24h or 2026-08-01.")
    ],
    recordings: Annotated[
        bool, typer.Option("--recordings", help="Also recordings from before then that no remaining run uses.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")] = False,
    as_json: AsJson = False,
) -> int:
    """Remove old runs and what only they used, permanently.

    Runs that prove a labelled version stay, and so does the newest of each suite. Imported calls and the prompt store
    are not touched.
    """
    from promptbench.cli.output import out, out_json
    from promptbench.project import Project
    from promptbench.workflows.upkeep.prune import prune

    try:
        before = parse_since(older_than)
    except ValueError:
        hint = "write --older-than 90d, or 24h, or 2026-08-01"
        raise InputError(f"--older-than: expected a time, got '{older_than}'", hint=hint) from None
    done = prune(Project.open(), before, recordings=recordings, dry_run=dry_run)
    if as_json:
        out_json({"schema_version": 1, "dry_run": dry_run, **asdict(done)})
        return Exit.YES
    for run, reason in done.kept.items():
        out(f"{run} stays: {reason}")
    if dry_run:
        for run in done.runs:
            out(f"{run} would be removed")
        out(f"{number_of(len(done.runs), 'run')} would be removed; the same command without --dry-run removes them")
        return Exit.YES
    gone = [(done.removed.runs, "run"), (done.removed.answers, "answer"), (done.removed.recordings, "recording")]
    counts = [number_of(count, word) for count, word in gone if count or word == "run"]
    counts += [f"{number_of(done.removed.cached, 'cached answer')}"] if done.removed.cached else []
    out(f"removed {', '.join(counts)}; freed {(done.bytes_before - done.bytes_after) / 1e6:.1f} MB")
    if done.removed.runs:
        out("  this cannot be undone; --dry-run lists the runs first")
    if not done.compacted:
        out("  another process uses the record: prune again later to free the disk space")
    return Exit.YES
