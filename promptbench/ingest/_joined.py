"""Records of other files of the same import, looked up by an id: some logs keep what was asked apart from the answers.

The records lie in a temporary database that SQLite spills to disk, so that memory stays flat, and is gone at the end.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from promptbench.core.types import Json


class Joined:
    """Objects by their ids. The first with an id is kept: what comes later under the same id is another call."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("CREATE TABLE record (id TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID")

    def add(self, key: str, value: dict[str, Json]) -> None:
        self._database.execute("INSERT OR IGNORE INTO record VALUES (?, ?)", (key, json.dumps(value)))

    def find(self, key: str) -> dict[str, Json]:
        """The object; an empty one where there is none."""
        row = self._database.execute("SELECT content FROM record WHERE id = ?", (key,)).fetchone()
        found: dict[str, Json] = json.loads(row[0]) if row else {}
        return found


@contextmanager
def joined() -> Iterator[Joined]:
    """A fresh one."""
    # The empty name is a private database on disk, of which little more than the page cache is in memory.
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        yield Joined(database)
