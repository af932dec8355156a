"""`promptbench store`: the health of the store."""

from __future__ import annotations

import sys
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli import store_copies
from promptbench.cli.options import AsJson
from promptbench.core.canonical import short
from promptbench.core.errors import Exit, InputError
from promptbench.core.words import number_of
from promptbench.report.words import clean

if TYPE_CHECKING:
    from promptbench.api import Contest

store = typer.Typer(help="Look after the prompt store.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    store_copies.register(store)
    app.add_typer(store, name="store")


@store.callback()
def _group() -> None:
    """Look after the prompt store."""


@store.command("verify")
def verify(as_json: AsJson = False) -> int:
    """Find all that is not as it was written.

    In the database and in the text mirror; each finding says what mends it. Exit 5 when there is something.
    """
    from promptbench import api
    from promptbench.cli.output import out, out_json

    with api.Project.open().prompts() as opened:
        levelled = opened.notes()
        found = opened.verify()
        prompts = len(opened.prompts())
    if as_json:
        findings = [asdict(item) for item in found]
        out_json({"schema_version": 1, "sound": not found, "findings": findings, "levelled": levelled})
    else:
        for line in levelled:
            out(f"note: {clean(line)}")
        for hint, items in groupby(found, key=lambda item: item.hint):
            for item in items:
                out(clean(f"{item.prompt or 'store'}: {item.message}"))
            out(f"  hint: {clean(hint)}")
        out(
            number_of(len(found), "finding")
            if found
            else f"sound: {number_of(prompts, 'prompt')}, every event, version and proof as written"
        )
    return Exit.CONFLICT if found else Exit.YES


@store.command("merge")
def merge(
    prompts: Annotated[list[str] | None, typer.Argument(metavar="[PROMPT]…", help="All by default.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="ours|theirs|VERSION", help="What keeps the label; LABEL=… for one of several."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Join two branches that both moved a label.

    No version, event or proof is lost. Where both moved the same label it asks which version keeps it.
    """
    from promptbench import api
    from promptbench.cli.output import out, out_json

    ask = _ask if sys.stdin.isatty() and not as_json else None
    merged = api.merge(api.Project.open(), prompts or (), keep=keep or (), ask=ask)
    if as_json:
        out_json({"schema_version": 1, "merged": [asdict(item) for item in merged]})
        return Exit.YES
    for item in merged:
        labels = ", ".join(f"{label} is {item.prompt}@{number}" for label, number in item.labels.items())
        out(f"{item.prompt}: one history again; {labels or 'it has no label'}")
        for line in (*item.events, *(f"other choice: {undo}" for undo in item.undo)):
            out(f"  {clean(line)}")
    out("commit prompt_store/text; the others have it with their next pull" if merged else "nothing to merge")
    return Exit.YES


def _ask(contest: Contest) -> str:
    from promptbench.cli.output import say

    say(f"{contest.prompt}: {len(contest.claims)} branches moved {contest.label}, each to a version of its own")
    width = max(len(claim.word) for claim in contest.claims)
    for claim in contest.claims:
        version = f"{contest.prompt}@{claim.number} ({short(claim.hash)})" if claim.hash else "no version"
        say(f"  {claim.word:{width}}  {version}, {clean(claim.told)}")
    words = "/".join(claim.word for claim in contest.claims)
    while True:
        answer: str = typer.prompt(f"which one stays {contest.label} [{words}]", err=True).strip()
        try:
            contest.answer(answer)
        except InputError as error:
            say(f"{error.message}; {error.hint}")
        else:
            return answer
