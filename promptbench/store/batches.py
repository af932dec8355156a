"""The batches of runs, and the answers in them until they are on record: tables of `runs.sqlite`.

A batch is written here before it is sent, so that a killed run finds it again and never sends it twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256
from typing import Any

from promptbench.core.clock import now
from promptbench.store.run_table import RunTable

TABLES = (
    """CREATE TABLE batch (
        run TEXT NOT NULL REFERENCES run (id),
        part INTEGER NOT NULL,
        model TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        size INTEGER NOT NULL,
        estimate REAL NOT NULL,
        sent TEXT,
        remote_id TEXT,
        ended TEXT,
        PRIMARY KEY (run, part)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE batch_line (
        run TEXT NOT NULL REFERENCES run (id),
        key TEXT NOT NULL,
        part INTEGER NOT NULL,
        status INTEGER,
        body TEXT,
        PRIMARY KEY (run, key, part)
    ) STRICT, WITHOUT ROWID""",
)
COLUMNS = {
    "batch": {
        "run": "the run",
        "part": "counts from 1 within the run",
        "model": "provider/name",
        "fingerprint": "sha256 of the requests",
        "size": "the number of requests",
        "estimate": "US dollars that it was expected to cost",
        "sent": "ISO 8601, UTC: when sending began; from then on it may have been accepted",
        "remote_id": "its id at the provider; null until it is known",
        "ended": "ISO 8601, UTC: when its answers were read; null before",
    },
    "batch_line": {
        "run": "the run; its lines are deleted when it has a verdict",
        "key": "the hash of the request, which is its id in the batch",
        "part": "the batch",
        "status": "HTTP status of the answer; 0 if the batch ended without one, null until it is read",
        "body": "JSON: the answer, or the error; null if there is none",
    },
}


@dataclass(slots=True)
class StoredBatch:
    """A row of `batch`."""

    run: str
    part: int
    model: str
    fingerprint: str
    size: int
    estimate: float
    sent: str
    remote_id: str | None = None


class Batches(RunTable):
    """The tables `batch` and `batch_line`."""

    def plan(self, run: str, model: str, content: bytes, keys: Sequence[str], estimate: float) -> StoredBatch:
        """Commit a batch that is about to be sent, with the hash of its content and the keys of its requests."""
        with self.transaction() as connection:
            sql = "SELECT coalesce(max(part), 0) + 1 FROM batch WHERE run = ?"
            [part] = connection.execute(sql, [run]).fetchone()
            batch = StoredBatch(run, part, model, sha256(content).hexdigest(), len(keys), estimate, now())
            connection.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", astuple(batch))
            sql = "INSERT INTO batch_line (run, key, part) VALUES (?, ?, ?)"
            connection.executemany(sql, [(run, key, part) for key in keys])
        return batch

    def accepted(self, batch: StoredBatch, remote_id: str) -> None:
        """Commit the id of a batch at the provider."""
        batch.remote_id = remote_id
        with self.transaction() as connection:
            connection.execute(
                "UPDATE batch SET remote_id = ? WHERE run = ? AND part = ?", [remote_id, batch.run, batch.part]
            )

    def end(self, batch: StoredBatch, lines: Iterable[tuple[str, int, str]]) -> None:
        """Commit what came back: key, status and body. The first answer to a request counts; some may be missing."""
        with self.transaction() as connection:
            execute, where, of_batch = connection.execute, "WHERE run = ? AND part = ?", [batch.run, batch.part]
            rows = ((status, body, *of_batch, key) for key, status, body in lines)
            sql = f"UPDATE batch_line SET status = ?, body = ? {where} AND key = ? AND status IS NULL"
            connection.executemany(sql, rows)
            execute(f"UPDATE batch_line SET status = 0 {where} AND status IS NULL", of_batch)
            execute(f"UPDATE batch SET ended = ? {where}", [now(), *of_batch])

    def drop(self, batch: StoredBatch) -> None:
        """Delete a batch that was not accepted, so that its requests are planned again."""
        with self.transaction() as connection:
            for table in ("batch_line", "batch"):
                connection.execute(f"DELETE FROM {table} WHERE run = ? AND part = ?", [batch.run, batch.part])

    def unread(self, run: str) -> list[StoredBatch]:
        """Return the batches of a run whose answers are not read, in order."""
        columns = "run, part, model, fingerprint, size, estimate, sent, remote_id"
        rows = self._rows(f"SELECT {columns} FROM batch WHERE run = ? AND ended IS NULL ORDER BY part", [run])
        return [StoredBatch(*row) for row in rows]

    def keys(self, run: str, part: int | None = None) -> set[str]:
        """Return the keys of the requests in these batches, or in one of them."""
        sql = """SELECT key FROM batch_line JOIN batch USING (run, part)
            WHERE run = ? AND ended IS NULL AND part = coalesce(?, part)"""
        return {str(row[0]) for row in self._rows(sql, [run, part])}

    def lines(self, run: str, key: str) -> list[tuple[Any, ...]]:
        """Return what came back for a request: status, body and the milliseconds in the batch, the first try first."""
        sql = """SELECT status, body, coalesce((julianday(ended) - julianday(sent)) * 86400000, 0.0)
            FROM batch_line JOIN batch USING (run, part) WHERE run = ? AND key = ? AND status NOTNULL ORDER BY part"""
        return list(self._rows(sql, [run, key]))

    def remote_ids(self) -> set[str]:
        """Return the ids of all known batches at their providers."""
        return {str(row[0]) for row in self._rows("SELECT remote_id FROM batch WHERE remote_id NOTNULL")}
