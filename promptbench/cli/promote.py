"""`promptbench promote`: a label moves, on proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import Actor, AsJson, Reason
from promptbench.core.errors import InputError


def register(app: typer.Typer) -> None:
    app.command("promote")(promote)


def promote(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt's name in the store.")],
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="The run that proves it; the latest by default.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", metavar="FILE", help="What `run --output evidence=FILE` wrote.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="LABEL", help="Take the version that this label holds, on its evidence."),
    ] = None,
    to: Annotated[str, typer.Option("--to", metavar="LABEL", help="The label that moves.")] = "production",
    force: Annotated[
        Path | None,
        typer.Option("--force", metavar="FILE", help="Promote this prompt file without proof; needs --reason."),
    ] = None,
    reason: Reason = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> int:
    """Move a label to a candidate that passed.

    If candidate, champion, suite, checks and gate are as they were, and the proof is not too old.
    """
    from promptbench import api
    from promptbench.cli.moved import show

    if sum(item is not None for item in (run, evidence, source, force)) > 1:
        raise InputError("give one of --run, --evidence, --from and --force")
    project, who = api.Project.open(), api.Who(actor, reason)
    if force is not None:
        return show(api.force(project, prompt, force, label=to, who=who), as_json=as_json)
    moved = api.promote(project, prompt, run=run, evidence=evidence, source=source, label=to, who=who)
    return show(moved, as_json=as_json)
