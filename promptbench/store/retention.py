"""Old runs taken out of the run record. What is to stay is for the caller to say; whose process lives stays anyway."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from promptbench.store.database import immediate, storage_errors

_WHAT = "run record"
_NEWEST = """
SELECT id, 'the newest run of its suite' FROM run AS this WHERE finished NOTNULL AND NOT EXISTS (
    SELECT 1 FROM run AS other WHERE other.suite = this.suite AND other.finished NOTNULL
    AND (other.started, other.rowid) > (this.started, this.rowid))
UNION ALL
SELECT run, 'the latest calibration of its suite' FROM calibration JOIN run AS this ON this.id = calibration.run
WHERE NOT EXISTS (
    SELECT 1 FROM calibration AS latest JOIN run AS other ON other.id = latest.run
    WHERE other.suite = this.suite AND latest.model = calibration.model
    AND (other.started, other.rowid) > (this.started, this.rowid))
"""
_ORPHANS = """hash NOT IN (SELECT answer_hash FROM attempt WHERE answer_hash NOTNULL)
AND hash NOT IN (SELECT text_hash FROM judging)"""
_UNASKED = """recorded < ? AND request_hash NOT IN (SELECT request_hash FROM attempt)
AND request_hash NOT IN (SELECT request_hash FROM judging)"""


@dataclass(frozen=True, slots=True)
class Removed:
    """How much of each went, and the runs that another process works on."""

    runs: int = 0
    answers: int = 0
    cached: int = 0
    recordings: int = 0
    busy: tuple[str, ...] = ()


class Retention:
    """Over the connection of the run record."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def older_than(self, before: str) -> list[str]:
        """The runs that were started before a time, the oldest first. Written as `core.clock` does."""
        with storage_errors(self._path, _WHAT):
            rows = self._connection.execute("SELECT id FROM run WHERE started < ? ORDER BY started, rowid", [before])
            return [str(row[0]) for row in rows]

    def needed(self) -> dict[str, str]:
        """The runs that later commands look at by themselves, each with the reason."""
        with storage_errors(self._path, _WHAT):
            return dict(self._connection.execute(_NEWEST).fetchall())

    def origins(self, runs: Collection[str]) -> dict[str, str]:
        """The runs whose answers the given runs scored again or continued, each with the run that did."""
        found = {}
        with storage_errors(self._path, _WHAT):
            for run in runs:
                row = self._connection.execute("SELECT facts FROM run WHERE id = ?", [run]).fetchone()
                source = json.loads(row[0]).get("scored_again") if row else None
                if source:
                    found[str(source)] = run
        return found

    def remove(self, runs: Collection[str], before: str, *, recordings: bool) -> Removed:
        """Takes runs out with all that belongs to them, one at a time; then answers and cache entries that nobody has.

        Recordings go only when asked for: older than `before` and asked by no run that stays.
        """
        with storage_errors(self._path, _WHAT):
            busy = tuple(run for run in runs if not self._remove(run))
            # SQLite would read all attempts for each answer, to see that none has it: that is what is asked here.
            self._connection.execute("PRAGMA foreign_keys = OFF")
            try:
                answers = self._delete("answer", _ORPHANS)
            finally:
                self._connection.execute("PRAGMA foreign_keys = ON")
            cached = self._delete("cache", "kept < ?", before)
            unasked = self._delete("recording", _UNASKED, before) if recordings else 0
        return Removed(len(runs) - len(busy), answers, cached, unasked, busy)

    def compact(self) -> bool:
        """Gives the room back to the disk; False where another process is at work, which may do it later."""
        try:
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError:
            return False
        return True

    def _remove(self, run: str) -> bool:
        """Whether it is out; not where a living process holds it."""
        from filelock import FileLock, Timeout

        place = self._path.parent / "locks" / f"{run}.lock"
        place.parent.mkdir(exist_ok=True)
        try:
            with FileLock(place, timeout=0), immediate(self._connection):
                for table in self._belonging():
                    self._connection.execute(f'DELETE FROM "{table}" WHERE run = ?', [run])
                self._connection.execute("DELETE FROM run WHERE id = ?", [run])
        except Timeout:
            return False
        place.unlink(missing_ok=True)
        return True

    def _belonging(self) -> list[str]:
        """The tables whose rows belong to a run: those that refer to it, whatever the schema comes to have."""
        rows = self._connection.execute(
            """SELECT DISTINCT listed.name FROM sqlite_master AS listed JOIN pragma_foreign_key_list(listed.name) AS key
            WHERE listed.type = 'table' AND key."table" = 'run' AND key."from" = 'run'"""
        )
        return [str(row[0]) for row in rows]

    def _delete(self, table: str, where: str, *values: str) -> int:
        with immediate(self._connection):
            return self._connection.execute(f"DELETE FROM {table} WHERE {where}", values).rowcount
