"""Read another machine's `runs.sqlite`, to copy its runs into ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.store import answers, attempt_rows, runs_schema
from promptbench.store.database import storage_errors
from promptbench.store.migrations import pending
from promptbench.store.run_table import WHAT, RunTable
from promptbench.store.runs import FILE_NAME, RunInfo, RunStore, read_runs

_TABLES = ("step", "failed_try", "judging", "swap")
_REQUESTS = """SELECT request_hash FROM attempt_row WHERE run_column IN (SELECT id FROM run_column WHERE run = ?1)
    UNION SELECT pack_hash(request_hash) FROM step WHERE run = ?1
    UNION SELECT pack_hash(request_hash) FROM judging WHERE run = ?1"""
_ANSWERS = f"""SELECT answer_id FROM attempt_row WHERE run_column IN (SELECT id FROM run_column WHERE run = ?1)
    UNION SELECT answer_id FROM recording_row WHERE request_hash IN ({_REQUESTS})"""


class RunFile(RunTable):
    """A run record opened read-only. Nothing is written next to it either."""

    @classmethod
    def open(cls, path: Path) -> RunFile:
        """Open a record, or the one in a folder; the caller closes it.

        Raises:
            InputError: the file does not exist.
            EnvironmentFailure: another version of promptbench wrote it.
        """
        file = path / FILE_NAME if path.is_dir() else path
        if not file.is_file():
            raise InputError(f"run record {file} not found", hint=f"name the {FILE_NAME} of each shard")
        # A file in WAL mode otherwise needs others next to it, and an artifact's folder may be read-only.
        alone = "" if file.with_name(f"{file.name}-wal").exists() else "&immutable=1"
        with storage_errors(file, WHAT):
            address = f"{file.absolute().as_uri()}?mode=ro{alone}"
            connection = sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)
            connection.create_function("pack_hash", 1, answers.pack_hash, deterministic=True)
            try:
                if pending(connection, runs_schema.SET, runs_schema.MIGRATIONS, WHAT):
                    hint = "use the same version for all shards and for the merge"
                    raise EnvironmentFailure(f"{file} was written by an older promptbench", hint=hint)
            except BaseException:
                connection.close()
                raise
        return cls(connection, file)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def shards(self) -> list[RunInfo]:
        """Return all runs of a shard."""
        with storage_errors(self.path, WHAT):
            return read_runs(self._connection, "WHERE json_extract(facts, '$.shard') NOTNULL")

    def case_names(self, run: str) -> Iterator[str]:
        """Yield the names of a run's cases."""
        return (str(row[0]) for row in self._rows("SELECT case_name FROM run_case WHERE run = ?", [run]))

    def rows(self, sql: str, run: str) -> sqlite3.Cursor:
        """Execute a query with the run as its only parameter."""
        with storage_errors(self.path, WHAT):
            return self._connection.execute(sql, [run])


def copy(runs: RunStore, new: str, parts: Iterable[tuple[RunFile, str]]) -> None:
    """Copy the attempts of runs in other files, and all rows that belong to them, into the run `new`.

    A judge call that several parts made alike is copied once, as if they had been one run.
    """
    with runs.transaction() as connection:
        for file, run in parts:
            _insert(connection, "answer", file.rows(f"SELECT hash, text FROM answer WHERE id IN ({_ANSWERS})", run))
            for row in file.rows(f"{answers.RECORDINGS} WHERE request_hash IN ({_REQUESTS})", run):
                answers.insert_recording(connection, row, replace=False)
            for _, *row, _, _ in file.rows("SELECT * FROM attempt WHERE run = ?", run):
                row[5] = answers.pack_hash(row[5])
                attempt_rows.insert(connection, [new, *row])
            for table in _TABLES:
                _insert(connection, table, file.rows(f"SELECT * FROM {table} WHERE run = ?", run), new)


def _insert(connection: sqlite3.Connection, table: str, rows: sqlite3.Cursor, run: str | None = None) -> None:
    columns = [column[0] for column in rows.description]
    index = columns.index("run") if run else len(columns)

    def values() -> Iterator[tuple[Any, ...]]:
        return (row if run is None else (*row[:index], run, *row[index + 1 :]) for row in rows)

    marks = ", ".join("?" * len(columns))
    names = ", ".join(f'"{column}"' for column in columns)
    connection.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", values())
