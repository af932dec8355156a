"""Back up a prompt store's database, also while other processes write."""

import os
from dataclasses import dataclass
from pathlib import Path

from promptbench.core.errors import ConflictError, EnvironmentFailure, InputError
from promptbench.store.database import Database, storage_errors
from promptbench.store.sync import Sync


@dataclass(frozen=True, slots=True)
class BackupResult:
    """The counts in a backup, and the prompts whose text mirror could not be imported before, with the reason."""

    path: Path
    prompts: int
    events: int
    left_out: dict[str, str]


def backup(sync: Sync, target: Path) -> BackupResult:
    """Copy the database as it is at one moment.

    Raises:
        InputError: the target exists or the store is empty.
        EnvironmentFailure: the copy cannot be written, or the store is damaged.
    """
    if os.path.lexists(target):
        raise InputError(f"{target} already exists", hint="name a new file; a backup replaces nothing")
    left_out = {}
    for prompt in sorted({*sync.database.prompts(), *sync.mirror.prompts()}):
        try:
            sync.refresh(prompt)
        except ConflictError as error:
            left_out[prompt] = error.message
    if not sync.database.prompts():
        raise InputError("the store is empty: nothing to back up")
    part = target.with_name(f".{target.name}.part")
    with storage_errors(target, "backup"):
        part.unlink(missing_ok=True)
        try:
            sync.database.connection.execute("VACUUM INTO ?", [str(part)])
            prompts, events = _checked_counts(part)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return BackupResult(target, prompts, events, left_out)


def _checked_counts(path: Path) -> tuple[int, int]:
    """Return the number of prompts and events in a copy. A damaged store makes a damaged copy, which is refused."""
    database = Database.open(path, timeout=0, mode="ro")
    try:
        problem = database.connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if problem != "ok":
            hint = "`promptbench store verify` finds the damage and how to fix it"
            raise EnvironmentFailure(f"the store is damaged, so no backup was made: {problem}", hint=hint)
        return len(database.prompts()), database.counts()[1]
    finally:
        database.close()
