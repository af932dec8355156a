"""`promptbench rollback`: move a label back to a version that held it before."""

from __future__ import annotations

from typing import Annotated

import typer

from promptbench.cli.moved import moved
from promptbench.cli.options import Actor, Label, Reason
from promptbench.cli.reporting import Lines, Project, prints


@prints
def rollback(
    project: Project,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt's name in the store.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="A number or hash; the previous one by default.")
    ] = None,
    label: Label = "production",
    reason: Reason = None,
    actor: Actor = None,
) -> Lines:
    """Move a label back to a version that held it before. Needs a reason, makes no call."""
    from promptbench.workflows.store.labels import Who, rollback

    return (yield from moved(rollback(project, prompt, to=to, label=label, who=Who(actor, reason))))
