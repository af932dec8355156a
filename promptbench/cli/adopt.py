"""`promptbench adopt`: what is in production on the first day."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import Actor, AsJson, Label, Reason


def register(app: typer.Typer) -> None:
    app.command("adopt")(adopt)


def adopt(
    file: Annotated[Path, typer.Argument(metavar="PROMPT", help="The prompt file that is in use today.")],
    label: Label = "production",
    reason: Reason = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> int:
    """Put the prompt that is in use already under a label.

    Without a verdict; once, while the label is unset.
    """
    from promptbench import api
    from promptbench.cli.moved import show

    return show(api.adopt(api.Project.open(), file, label=label, who=api.Who(actor, reason)), as_json=as_json)
