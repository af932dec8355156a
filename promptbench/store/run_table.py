"""The base class of everything that reads or writes `runs.sqlite`."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from promptbench.store.database import immediate, storage_errors

WHAT = "run record"
PAGE_SIZE = 8192  # bytes; some answers share a page, and a commit writes each page that it changes

Value = str | bytes | int | float | None
Part = TypeVar("Part", bound="RunTable")


class RunTable:
    """One part of `runs.sqlite`, over a connection that it shares with the others.

    Every method raises EnvironmentFailure when SQLite or the disk fails.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    def _rows(self, sql: str, values: Sequence[Value] | dict[str, Value] = ()) -> Iterator[tuple[Any, ...]]:
        with storage_errors(self.path, WHAT):
            yield from self._connection.execute(sql, values)

    def _row(self, sql: str, values: Sequence[Value] | dict[str, Value] = ()) -> tuple[Any, ...] | None:
        with storage_errors(self.path, WHAT):
            row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
            return row

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock; commit at the end, roll back on any exception."""
        with storage_errors(self.path, WHAT), immediate(self._connection):
            yield self._connection


def part(kind: Callable[[sqlite3.Connection, Path], Part]) -> Callable[[RunTable], Part]:
    """Return a method that returns another part of the same file, over the same connection."""
    return lambda table: kind(table._connection, table.path)
