"""`promptbench adopt`: record the prompt that is in use on the first day."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import Actor, AsJson, Label, Reason


def adopt(
    file: Annotated[Path, typer.Argument(metavar="PROMPT", help="The prompt file that is in use today.")],
    label: Label = "production",
    reason: Reason = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> int:
    """Record the prompt that is in use today under a label.

    Without a verdict, and only while the label is unset.
    """
    from promptbench.cli.moved import show
    from promptbench.project import Project
    from promptbench.workflows.store.labels import Who, adopt

    return show(adopt(Project.open(), file, label=label, who=Who(actor, reason)), as_json=as_json)
