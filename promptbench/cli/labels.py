"""`promptbench adopt`, `promote`, `rollback` and `retire`: set, move and remove labels."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import Actor, Label, Lines, Project, Reason, prints
from promptbench.core.errors import Exit, InputError

if TYPE_CHECKING:
    from promptbench.report.model import Promotion


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


def retire(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt's name in the store.")],
    label: Annotated[str | None, typer.Option("--label", metavar="LABEL", help="One label; all by default.")] = None,
    reason: Reason = None,
    actor: Actor = None,
) -> int:
    """Remove a label, or all labels, from a prompt. Its versions and its history stay for ever."""
    from promptbench import project
    from promptbench.cli.output import out, out_lines
    from promptbench.workflows.store.labels import Who, retire

    undo = retire(project.Project.open(), prompt, label=label, who=Who(actor, reason))
    out(f"removed {f'the label {label}' if label else 'all labels'} of {prompt}; its versions stay")
    out(f"  see them: promptbench prompts history {prompt}")
    out_lines(f"  undo it: {command}" for command in undo)
    return Exit.YES


def moved(found: Promotion) -> Lines:
    """Yield what changed and how to undo it."""
    from promptbench.report.document import Document, Report, Section, Target
    from promptbench.report.renderers import plain
    from promptbench.workflows.judge.run_report import promotion_blocks

    yield asdict(found)
    report = Report(found.prompt, Document("", [Section(list(promotion_blocks(found)))], ""), dict)
    yield plain.render([report], Target()).removesuffix("\n")
    return Exit.YES
