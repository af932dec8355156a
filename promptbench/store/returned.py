"""By which names models answered, and the first run of a version: what a later run is held against."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from promptbench.store.database import storage_errors

_FIRST = """
SELECT run.id, substr(run.started, 1, 10) FROM run JOIN variant ON variant.run = run.id AND variant.hash = :version
WHERE suite = :suite AND finished NOTNULL AND run.started < :before
    AND json_extract(facts, '$.suite_hash') = :suite_hash AND json_extract(facts, '$.checks_hash') = :checks_hash
    AND NOT coalesce(json_extract(facts, '$.partial'), 0) AND coalesce(json_extract(facts, '$.cache'), 'off') = 'off'
ORDER BY run.started, run.rowid LIMIT 1
"""


class Returned:
    """What models returned, over the connection of the run record."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def first_run(
        self, suite: str, version: str, suite_hash: str, checks_hash: str, before: str
    ) -> tuple[str, str] | None:
        """The first finished run of a whole suite that asked a version the same before a time, and its day."""
        values = {
            "suite": suite,
            "version": version,
            "suite_hash": suite_hash,
            "checks_hash": checks_hash,
            "before": before,
        }
        with storage_errors(self._path, "run record"):
            row = self._connection.execute(_FIRST, values).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def names(self, run: str) -> dict[str, list[str]]:
        """By model of a run the names that its provider returned."""
        found: dict[str, list[str]] = {}
        with storage_errors(self._path, "run record"):
            rows = self._connection.execute(
                "SELECT DISTINCT model, model_returned FROM attempt "
                "WHERE run = ? AND model_returned NOTNULL AND fallback IS NULL ORDER BY 1, 2",
                [run],
            )
            for model, returned in rows:
                found.setdefault(str(model), []).append(str(returned))
        return found
