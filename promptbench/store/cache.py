"""The cache: a table of `runs.sqlite` with an answer for each key, whichever run or process asked for it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from promptbench.core.clock import now
from promptbench.core.types import Answer
from promptbench.store import answers
from promptbench.store.database import immediate, storage_errors


class CacheTable:
    """The table as a run uses it, over the connection of the run record."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def find(self, key: str) -> Answer | None:
        """The answer under a key, as it was when it was asked for."""
        with storage_errors(self._path, "run record"):
            row = self._connection.execute("SELECT answer FROM cache WHERE key = ?", [key]).fetchone()
        return None if row is None else answers.loads(row[0])

    def keep(self, key: str, model: str, answer: Answer) -> None:
        """Commits an answer, in the place of the one before."""
        with storage_errors(self._path, "run record"), immediate(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO cache (key, model, answer, kept) VALUES (?, ?, ?, ?)",
                [key, model, answers.dumps(answer), now()],
            )
