"""A run record that is only read: another machine's, whose runs are copied into ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.store import runs_schema
from promptbench.store.database import storage_errors
from promptbench.store.runs import FILE_NAME, RunInfo, RunStore, read_runs
from promptbench.store.steps import pending

_TABLES = ("attempt", "failed_try", "judging")
_WHAT = "run record"


class RunFile:
    """One file, open for reading. Nothing is written beside it either."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    @classmethod
    def open(cls, path: Path) -> RunFile:
        """A record, or the one in a folder; the caller closes it.

        Raises InputError when there is none, EnvironmentFailure when another version of promptbench wrote it.
        """
        file = path / FILE_NAME if path.is_dir() else path
        if not file.is_file():
            raise InputError(f"there is no run record {file}", hint=f"name the {FILE_NAME} of each shard")
        # Without this a file in WAL mode wants others beside it, and an artifact's folder may not be writable.
        alone = "" if file.with_name(f"{file.name}-wal").exists() else "&immutable=1"
        with storage_errors(file, _WHAT):
            address = f"{file.absolute().as_uri()}?mode=ro{alone}"
            connection = sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)
            try:
                if pending(connection, runs_schema.SET, runs_schema.STEPS, _WHAT):
                    hint = "use the same version for all shards and for the merge"
                    raise EnvironmentFailure(f"{file} was written by an older promptbench", hint=hint)
            except BaseException:
                connection.close()
                raise
        return cls(file, connection)

    def close(self) -> None:
        self.connection.close()

    def shards(self) -> list[RunInfo]:
        """All runs of a shard."""
        with storage_errors(self.path, _WHAT):
            return read_runs(self.connection, "WHERE json_extract(facts, '$.shard') NOTNULL")

    def case_names(self, run: str) -> Iterator[str]:
        """The cases that a run asks."""
        yield from (str(row[0]) for row in self.rows("SELECT case_name FROM run_case WHERE run = ?", run))

    def rows(self, sql: str, run: str) -> sqlite3.Cursor:
        """What a statement gives of a run."""
        with storage_errors(self.path, _WHAT):
            return self.connection.execute(sql, [run])


def copy(runs: RunStore, new: str, parts: Iterable[tuple[RunFile, str]]) -> None:
    """Puts the attempts of runs in other files, and all that belongs to them, under the name `new`.

    What several of them asked a judge alike is there once, as if they had been one run.
    """
    with runs.writing() as connection:
        for file, run in parts:
            answers = "SELECT answer.* FROM attempt JOIN answer ON answer.hash = answer_hash WHERE run = ?"
            _insert(connection, "answer", file.rows(answers, run))
            for asked in ("attempt", "judging"):
                kept = f"SELECT DISTINCT recording.* FROM {asked} JOIN recording USING (request_hash) WHERE run = ?"
                _insert(connection, "recording", file.rows(kept, run))
            for table in _TABLES:
                _insert(connection, table, file.rows(f"SELECT * FROM {table} WHERE run = ?", run), new)


def _insert(connection: sqlite3.Connection, table: str, rows: sqlite3.Cursor, run: str | None = None) -> None:
    """Rows of another file, under the name of `run` where they belong to one."""
    columns = [column[0] for column in rows.description]
    place = columns.index("run") if run else len(columns)

    def values() -> Iterator[tuple[Any, ...]]:
        return (row if run is None else (*row[:place], run, *row[place + 1 :]) for row in rows)

    marks = ", ".join("?" * len(columns))
    names = ", ".join(f'"{column}"' for column in columns)
    connection.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", values())
