"""`promptbench store backup`, `export` and `import`: copies of the store, and histories out of it and into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import AsJson
from promptbench.core.errors import Exit
from promptbench.core.words import number_of

if TYPE_CHECKING:
    from promptbench.api import Store

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="One folder a prompt, in the text mirror's layout.")]
Chosen = Annotated[list[str] | None, typer.Argument(metavar="[PROMPT]…", help="All by default.")]


def register(group: typer.Typer) -> None:
    group.command("backup")(backup)
    group.command("export")(export)
    group.command("import")(import_)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; must not be there yet.")],
    as_json: AsJson = False,
) -> int:
    """Copy the database, also while others promote."""
    from promptbench.cli.output import out, out_json, say

    with _store() as store:
        made = store.backup(file)
    for prompt, reason in made.left_out.items():
        say(f"warning: {prompt} is as the database has it, without its text mirror: {reason}")
    if as_json:
        facts = {"file": str(made.path), "prompts": made.prompts, "events": made.events, "left_out": made.left_out}
        out_json({"schema_version": 1, **facts})
    else:
        out(f"{file} holds {number_of(made.prompts, 'prompt')} with {number_of(made.events, 'event')}")
        out("  use it: put it in the place of prompt_store/prompts.sqlite; what the text mirror has beyond it is added")
    return Exit.YES


def export(folder: Folder, prompts: Chosen = None, as_json: AsJson = False) -> int:
    """Write the histories of prompts to a folder.

    With their texts and proofs. What is there already is continued.
    """
    with _store() as store:
        new = store.export(folder, prompts or ())
    return _told(new, f"new in {folder}", f"take it in elsewhere: promptbench store import {folder}", as_json=as_json)


def import_(folder: Folder, prompts: Chosen = None, as_json: AsJson = False) -> int:
    """Take in histories that `export` wrote.

    Each event and proof is checked, and all come in or none. Labels move as they did.
    """
    with _store() as store:
        new = store.import_(folder, prompts or ())
        labels = {name: {label: item.number for label, item in store.labels(name).items()} for name in new}
    held = [f"{label} is {name}@{number}" for name, at in labels.items() if new[name] for label, number in at.items()]
    return _told(new, "new in the store", "; ".join(held) or None, as_json=as_json)


def _told(new: dict[str, int], where: str, more: str | None, *, as_json: bool) -> int:
    from promptbench.cli.output import out, out_json

    if as_json:
        out_json({"schema_version": 1, "events": new})
        return Exit.YES
    for prompt, events in new.items():
        out(f"{prompt}: {number_of(events, 'event')} {where}")
    if more and any(new.values()):
        out(f"  {more}")
    return Exit.YES


def _store() -> Store:
    from promptbench import api

    return api.Project.open().prompts()
