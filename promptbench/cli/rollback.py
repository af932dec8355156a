"""`promptbench rollback`: move a label back to a version that held it before."""

from __future__ import annotations

from typing import Annotated

import typer

from promptbench.cli.options import Actor, AsJson, Label, Reason


def rollback(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt's name in the store.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="A number or hash; the previous one by default.")
    ] = None,
    label: Label = "production",
    reason: Reason = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> int:
    """Move a label back to a version that held it before. Needs a reason, makes no call."""
    from promptbench.cli.moved import show
    from promptbench.project import Project
    from promptbench.workflows.store.labels import Who, rollback

    moved = rollback(Project.open(), prompt, to=to, label=label, who=Who(actor, reason))
    return show(moved, as_json=as_json)
