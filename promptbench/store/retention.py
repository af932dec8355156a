"""Remove old runs from `runs.sqlite`. The caller decides what stays; runs of a living process stay in any case."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from promptbench.store.database import immediate, storage_errors
from promptbench.store.run_table import PAGE_SIZE, WHAT, RunTable

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
_UNREFERENCED_ANSWERS = """id NOT IN (SELECT answer_id FROM attempt_row WHERE answer_id NOTNULL)
AND id NOT IN (SELECT answer_id FROM recording_row WHERE answer_id NOTNULL)
AND 'sha256:' || lower(hex(hash)) NOT IN (SELECT text_hash FROM judging)"""
_UNREFERENCED_RECORDINGS = """recorded < ? AND request_hash NOT IN (SELECT request_hash FROM attempt_row)
AND request_hash NOT IN (SELECT pack_hash(request_hash) FROM step UNION SELECT pack_hash(request_hash) FROM judging)"""
_TABLES_OF_RUNS = """SELECT DISTINCT listed.name
FROM sqlite_master AS listed JOIN pragma_foreign_key_list(listed.name) AS key
WHERE listed.type = 'table' AND key."table" = 'run' AND key."from" = 'run'"""


@dataclass(frozen=True, slots=True)
class RemovedRows:
    """The number of removed rows of each kind, and the runs that stayed because a process holds them."""

    runs: int = 0
    answers: int = 0
    cached: int = 0
    recordings: int = 0
    busy: tuple[str, ...] = ()


class Retention(RunTable):
    """Removal of old runs."""

    def older_than(self, before: str) -> list[str]:
        """Return the runs that started before a time in the format of `core.clock`, oldest first."""
        rows = self._rows("SELECT id FROM run WHERE started < ? ORDER BY started, rowid", [before])
        return [str(row[0]) for row in rows]

    def needed(self) -> dict[str, str]:
        """Return the runs that later commands use by default, each with the reason."""
        return dict(self._rows(_NEWEST))

    def origins(self, runs: Collection[str]) -> dict[str, str]:
        """Return the runs whose answers the given runs scored again or resumed, each with the run that did."""
        found = {}
        for run in runs:
            row = self._row("SELECT facts FROM run WHERE id = ?", [run])
            source = json.loads(row[0]).get("scored_again") if row else None
            if source:
                found[str(source)] = run
        return found

    def remove(self, runs: Collection[str], before: str, *, recordings: bool) -> RemovedRows:
        """Remove runs one at a time with all their rows, then the answers and cache entries that nothing refers to.

        Recordings are removed only if `recordings` is set: those older than `before` that no remaining run requested.
        """
        with storage_errors(self.path, WHAT):
            busy = tuple(run for run in runs if not self._remove(run))
            unused = self._delete("recording_row", _UNREFERENCED_RECORDINGS, before) if recordings else 0
            # With foreign keys on, SQLite would scan all attempts for each answer; the query checks the same once.
            self._connection.execute("PRAGMA foreign_keys = OFF")
            try:
                answers = self._delete("answer", _UNREFERENCED_ANSWERS)
                self._delete(
                    "answer_source",
                    """id NOT IN (SELECT source_id FROM attempt_row WHERE source_id NOTNULL)
                    AND id NOT IN (SELECT source_id FROM recording_row)""",
                )
            finally:
                self._connection.execute("PRAGMA foreign_keys = ON")
            cached = self._delete("cache", "kept < ?", before)
        return RemovedRows(len(runs) - len(busy), answers, cached, unused, busy)

    def compact(self) -> bool:
        """Return free space to the disk. Return False if another process is using the file."""
        try:
            # A file in WAL mode keeps the size of its pages, which earlier versions chose.
            for sql in ("journal_mode = DELETE", f"page_size = {PAGE_SIZE}"):
                self._connection.execute(f"PRAGMA {sql}")
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            return False
        return True

    def _remove(self, run: str) -> bool:
        from filelock import FileLock, Timeout

        lock = self.path.parent / "locks" / f"{run}.lock"
        lock.parent.mkdir(exist_ok=True)
        try:
            with FileLock(lock, timeout=0), immediate(self._connection):
                # Read from the schema, so that a table that is added later is not forgotten here.
                for table in [row[0] for row in self._connection.execute(_TABLES_OF_RUNS)]:
                    self._connection.execute(f'DELETE FROM "{table}" WHERE run = ?', [run])
                self._connection.execute("DELETE FROM run WHERE id = ?", [run])
        except Timeout:
            return False
        lock.unlink(missing_ok=True)
        return True

    def _delete(self, table: str, where: str, *values: str) -> int:
        with immediate(self._connection):
            return self._connection.execute(f"DELETE FROM {table} WHERE {where}", values).rowcount
