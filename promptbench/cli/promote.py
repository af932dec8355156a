"""`promptbench promote`: move a label on proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.moved import moved
from promptbench.cli.options import Actor, Reason
from promptbench.cli.reporting import Lines, Project, prints
from promptbench.core.errors import InputError


@prints
def promote(
    project: Project,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt's name in the store.")],
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="The run that proves it; the latest by default.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", metavar="FILE", help="A file of `run --output evidence=FILE`.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="LABEL", help="Take the version of this label, on its evidence."),
    ] = None,
    to: Annotated[str, typer.Option("--to", metavar="LABEL", help="The label that moves.")] = "production",
    force: Annotated[
        Path | None,
        typer.Option("--force", metavar="FILE", help="Promote this prompt file without proof; needs --reason."),
    ] = None,
    reason: Reason = None,
    actor: Actor = None,
) -> Lines:
    """Move a label to a candidate that passed.

    Candidate, production, suite, checks and gate must be as they were judged, and the proof not too old.
    """
    from promptbench.workflows.store import labels

    if sum(item is not None for item in (run, evidence, source, force)) > 1:
        raise InputError("give one of --run, --evidence, --from and --force")
    who = labels.Who(actor, reason)
    if force is not None:
        return (yield from moved(labels.force(project, prompt, force, label=to, who=who)))
    from promptbench.workflows.store.promote import promote

    done = promote(project, prompt, run=run, evidence=evidence, source=source, label=to, who=who)
    return (yield from moved(done))
