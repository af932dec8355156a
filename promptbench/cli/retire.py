"""`promptbench retire`: remove a label."""

from __future__ import annotations

from typing import Annotated

import typer

from promptbench.cli.options import Actor, Reason
from promptbench.core.errors import Exit


def retire(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt's name in the store.")],
    label: Annotated[str | None, typer.Option("--label", metavar="LABEL", help="One label; all by default.")] = None,
    reason: Reason = None,
    actor: Actor = None,
) -> int:
    """Remove a label, or all labels, from a prompt. Its versions and its history stay for ever."""
    from promptbench.cli.output import out, out_lines
    from promptbench.project import Project
    from promptbench.workflows.store.labels import Who, retire

    undo = retire(Project.open(), prompt, label=label, who=Who(actor, reason))
    out(f"removed {f'the label {label}' if label else 'all labels'} of {prompt}; its versions stay")
    out(f"  see them: promptbench prompts history {prompt}")
    out_lines(f"  undo it: {command}" for command in undo)
    return Exit.YES
