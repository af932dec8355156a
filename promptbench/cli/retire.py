"""`promptbench retire`: a label is taken away."""

from __future__ import annotations

from typing import Annotated

import typer

from promptbench.cli.options import Actor, Reason
from promptbench.core.errors import Exit


def register(app: typer.Typer) -> None:
    app.command("retire")(retire)


def retire(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt's name in the store.")],
    label: Annotated[str | None, typer.Option("--label", metavar="LABEL", help="One label; all by default.")] = None,
    reason: Reason = None,
    actor: Actor = None,
) -> int:
    """Take a label, or all, off a prompt. Its versions and its history stay for ever."""
    from promptbench import api
    from promptbench.cli.output import out

    api.retire(api.Project.open(), prompt, label=label, who=api.Who(actor, reason))
    out(f"{prompt} has no {label or 'label'} any more; its versions stay: promptbench prompts history {prompt}")
    return Exit.YES
