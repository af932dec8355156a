"""Formats that consist of two files: requests and answers, joined by an id.

The requests are kept in a temporary database, which SQLite spills to disk, so that memory stays constant.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest._fields import as_text
from promptbench.ingest._records import read_records


class JoinedRecords:
    """Objects by id. A later object replaces an earlier one."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("CREATE TABLE record (id TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID")

    def add(self, key: str, value: dict[str, Json]) -> None:
        self._database.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", (key, json.dumps(value)))

    def find(self, key: str) -> dict[str, Json]:
        """Return the object with this id; an empty one if there is none."""
        row = self._database.execute("SELECT content FROM record WHERE id = ?", (key,)).fetchone()
        found: dict[str, Json] = json.loads(row[0]) if row else {}
        return found


@contextmanager
def open_join() -> Iterator[JoinedRecords]:
    """Yield an empty JoinedRecords."""
    # The empty name is a private database on disk, of which little more than the page cache is in memory.
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        yield JoinedRecords(database)


@dataclass(frozen=True, slots=True)
class FilePair:
    """A format of two files. `key` is the field with a request's id; `alone` is the reason why a file of requests
    without its file of answers cannot be read.
    """

    is_requests: Callable[[Log], bool]
    is_answers: Callable[[Log], bool]
    key: str
    alone: str


def read_pair(
    file: Log, pair: FilePair, build: Callable[[dict[str, Json], JoinedRecords], LoggedCall]
) -> Iterator[LoggedCall | BadRecord]:
    """Yield the answers, each built with the requests of the import. A file of requests yields no calls."""
    if pair.is_requests(file):
        if not any(pair.is_answers(other) for other in file.others):
            yield BadRecord("the file", pair.alone)
        return
    with open_join() as requests:
        for other in file.others:
            if pair.is_requests(other):
                _collect(other, pair.key, requests)
        yield from read_records(file.records(), lambda data, location: build(data, requests))


def _collect(file: Log, key: str, requests: JoinedRecords) -> None:
    # A bad record has no id to be joined by; its answer stays without a prompt.
    for found in file.records():
        if isinstance(found, tuple) and isinstance(found[1], dict) and (name := as_text(found[1].get(key))):
            requests.add(name, found[1])
