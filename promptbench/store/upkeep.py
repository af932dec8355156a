"""A prompt store's copies: the whole file as a backup, and histories into a folder and out of one.

The folder has the layout of the text mirror, so what is exported can be read, reviewed and committed as it is, and
imported by whoever has a store of his own. Either way a history only ever grows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from promptbench.core.errors import ConflictError, EnvironmentFailure, InputError
from promptbench.store.database import Database, storage_errors
from promptbench.store.mirror import Mirror
from promptbench.store.names import is_prompt_name
from promptbench.store.references import suggest
from promptbench.store.sync import Standing, Sync

_BEHIND = (Standing.MIRROR_AHEAD, Standing.MIRROR_MERGED)


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds, and the prompts whose text mirror could not be taken in before, with the reason."""

    path: Path
    prompts: int
    events: int
    left_out: dict[str, str]


def backup(sync: Sync, target: Path) -> Backup:
    """Copies the database as it is at one moment, also while others write.

    Raises InputError when the target exists or the store is empty, EnvironmentFailure when it cannot be written.
    """
    if os.path.lexists(target):
        raise InputError(f"{target} is there already", hint="name a file that is not; a backup replaces nothing")
    left_out = {}
    for prompt in _known(sync):
        try:
            sync.read(prompt)
        except ConflictError as error:
            left_out[prompt] = error.message
    if not sync.database.prompts():
        raise InputError("the store is empty: there is nothing to back up")
    part = target.with_name(f".{target.name}.part")
    with storage_errors(target, "backup"):
        part.unlink(missing_ok=True)
        try:
            sync.database.connection.execute("VACUUM INTO ?", [str(part)])
            counted = _checked(part)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return Backup(target, *counted, left_out)


def _checked(path: Path) -> tuple[int, int]:
    """How many prompts and events a copy has. A damaged store makes a damaged copy, which is none."""
    database = Database.reading(path, timeout=0)
    try:
        problem = database.connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if problem != "ok":
            hint = "`promptbench store verify` finds the damage and says how to mend it"
            raise EnvironmentFailure(f"the store is damaged, so no backup was made: {problem}", hint=hint)
        return len(database.prompts()), database.counts()[1]
    finally:
        database.close()


def export(sync: Sync, folder: Path, prompts: Sequence[str] = ()) -> dict[str, int]:
    """Writes the histories of prompts, of all by default, to a folder. Gives the number of events new there, by prompt.

    Raises:
        InputError: there is no such prompt.
        ConflictError: the folder has a history of a prompt that the store's does not continue. Nothing was written.
    """
    there = Sync(sync.database, Mirror(folder), sync.hash_of)
    wanted = _wanted(prompts, _known(sync), "the store")
    for prompt in wanted:
        sync.read(prompt)
    with storage_errors(folder, "export"), sync.database.snapshot():
        for prompt in wanted:
            standing = there.standing(prompt)
            if standing in _BEHIND:
                hint = f"`promptbench store import {folder} {prompt}` takes it in first"
                raise ConflictError(f"{folder} has more of {prompt} than the store", hint=hint)
            if standing is Standing.APART:
                raise ConflictError(f"{folder} has another history of {prompt}", hint="export to another folder")
        new = {}
        for prompt in wanted:
            had = len(there.mirror.event_names(prompt))
            there.level(prompt)
            new[prompt] = len(there.mirror.event_names(prompt)) - had
    return new


def import_(sync: Sync, folder: Path, prompts: Sequence[str] = ()) -> dict[str, int]:
    """Takes the histories of prompts, of all by default, from a folder that `export` wrote, a text mirror, or a store.

    Every event, version and proof is checked as after a `git pull`. All come in or none. Gives the number of events
    new here, by prompt. The caller writes them to the mirror.

    Raises:
        InputError: there is no such prompt in the folder.
        ConflictError: a file was edited, or a history goes another way than the store's.
    """
    there = Sync(sync.database, _mirror_in(folder), sync.hash_of)
    found = there.mirror.prompts()
    if not found:
        hint = "name a folder that `promptbench store export` wrote, or a store's text/"
        raise InputError(f"there is no prompt's history in {folder}", hint=hint)
    wanted = _wanted(prompts, found, str(folder))
    new = {}
    with sync.database.transaction():
        for prompt in wanted:
            sync.level(prompt)
            sync.check(prompt)
            had = sync.database.event_names(prompt)
            if there.standing(prompt) is Standing.APART:
                raise _another_history(sync, there, prompt)
            if there.standing(prompt) in _BEHIND:
                there.level(prompt)
            new[prompt] = len(sync.database.event_names(prompt)) - len(had)
    return new


def _another_history(sync: Sync, there: Sync, prompt: str) -> ConflictError:
    with suppress(ConflictError):
        if sync.database.knows(prompt):
            mine, theirs = sync.mirror.folder / prompt, there.mirror.folder / prompt
            hint = f"copy what is in {theirs} into {mine}, then `promptbench store merge {prompt}` joins the two"
            return ConflictError(f"{theirs} has another history of {prompt} than the store: nothing came in", hint=hint)
    events = there.mirror.folder / prompt / "events"
    return ConflictError(f"{events} is not one whole history: nothing came in", hint="export it again at its source")


def _mirror_in(folder: Path) -> Mirror:
    mirror = Mirror(folder)
    within = Mirror(folder / "text")
    return within if not mirror.prompts() and within.prompts() else mirror


def _known(sync: Sync) -> list[str]:
    return sorted({*sync.database.prompts(), *sync.mirror.prompts()})


def _wanted(names: Sequence[str], known: Sequence[str], where: str) -> list[str]:
    for name in names:
        if name not in known or not is_prompt_name(name):
            raise InputError(f"no prompt {name!r} in {where}", hint=suggest(name, known))
    return list(dict.fromkeys(names)) or list(known)
