"""`promptbench adopt`: record the prompt that is in use on the first day."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.moved import moved
from promptbench.cli.options import Actor, Label, Reason
from promptbench.cli.reporting import Lines, Project, prints


@prints
def adopt(
    project: Project,
    file: Annotated[Path, typer.Argument(metavar="PROMPT", help="The prompt file that is in use today.")],
    label: Label = "production",
    reason: Reason = None,
    actor: Actor = None,
) -> Lines:
    """Record the prompt that is in use today under a label.

    Without a verdict, and only while the label is unset.
    """
    from promptbench.workflows.store.labels import Who, adopt

    return (yield from moved(adopt(project, file, label=label, who=Who(actor, reason))))
