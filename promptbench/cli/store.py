"""`promptbench store`: verify, merge and back up the prompt store."""

from __future__ import annotations

import sys
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import AsJson, Lines, Project, prints
from promptbench.core.canonical import short
from promptbench.core.errors import Exit, InputError
from promptbench.core.words import number_of
from promptbench.report.words import clean

if TYPE_CHECKING:
    from promptbench.workflows.store.merge import LabelConflict

store = typer.Typer(help="Look after the prompt store.", no_args_is_help=True)


@store.command("verify")
@prints
def verify(project: Project) -> Lines:
    """Find everything that was changed outside promptbench.

    In the database and in the text mirror; each finding says how to fix it. Exit 5 if there is one.
    """
    with project.prompts() as opened:
        synchronized = opened.notes()
        found = opened.verify()
        prompts = len(opened.prompts())
    # The keys are those of the first release.
    yield {"sound": not found, "findings": [asdict(item) for item in found], "levelled": synchronized}
    for line in synchronized:
        yield f"note: {clean(line)}"
    for hint, items in groupby(found, key=lambda item: item.hint):
        for item in items:
            yield clean(f"{item.prompt or 'store'}: {item.message}")
        yield f"  hint: {clean(hint)}"
    valid = f"valid: {number_of(prompts, 'prompt')}, every event, version and proof as written"
    yield number_of(len(found), "finding") if found else valid
    return Exit.CONFLICT if found else Exit.YES


@store.command("merge")
def merge(
    prompts: Annotated[list[str] | None, typer.Argument(metavar="[PROMPT]…", help="All by default.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="ours|theirs|VERSION",
            help="Who keeps a label; in a fresh clone, a version.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Join two branches that both moved a label.

    No version, event or proof is lost. If both moved the same label, you choose which version keeps it.
    """
    from promptbench.cli.output import out, out_json
    from promptbench.project import Project
    from promptbench.workflows.store.merge import merge

    ask = _ask if sys.stdin.isatty() and not as_json else None
    merged = merge(Project.open(), prompts or (), keep=keep or (), ask=ask)
    if as_json:
        out_json({"schema_version": 1, "merged": [asdict(item) for item in merged]})
        return Exit.YES
    for item in merged:
        labels = ", ".join(f"{label} is {item.prompt}@{number}" for label, number in item.labels.items())
        out(f"{item.prompt}: joined; {labels or 'it has no label'}")
        for line in (*item.events, *(f"other choice: {undo}" for undo in item.undo)):
            out(f"  {clean(line)}")
    out("commit prompt_store/text; others get it with their next pull" if merged else "nothing to merge")
    return Exit.YES


def _ask(contest: LabelConflict) -> str:
    from promptbench.cli.output import say

    say(f"{contest.prompt}: {len(contest.claims)} branches moved {contest.label} to different versions")
    width = max(len(claim.word) for claim in contest.claims)
    for claim in contest.claims:
        version = f"{contest.prompt}@{claim.number} ({short(claim.hash)})" if claim.hash else "no version"
        say(f"  {claim.word:{width}}  {version}, {clean(claim.origin)}")
    words = "/".join(claim.word for claim in contest.claims)
    while True:
        answer: str = typer.prompt(f"which one stays {contest.label} [{words}]", err=True).strip()
        try:
            contest.answer(answer)
        except InputError as error:
            say(f"{error.message}; {error.hint}")
        else:
            return answer


@store.command("backup")
@prints
def backup(
    project: Project,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; must not exist yet.")],
) -> Lines:
    """Copy the database, also while others promote."""
    from promptbench.cli.output import say

    with project.prompts() as opened:
        made = opened.backup(file)
    for prompt, reason in made.left_out.items():
        say(f"warning: {prompt} is copied as in the database, without its text mirror: {reason}")
    yield {"file": str(made.path), "prompts": made.prompts, "events": made.events, "left_out": made.left_out}
    yield f"{file} holds {number_of(made.prompts, 'prompt')} with {number_of(made.events, 'event')}"
    yield "  use it: copy it to prompt_store/prompts.sqlite; newer events of the text mirror are added"
    return Exit.YES
