"""The answer cache: a table of `runs.sqlite` that all runs and processes share."""

from __future__ import annotations

from promptbench.core.clock import now
from promptbench.core.types import Answer
from promptbench.store import answers
from promptbench.store.run_table import RunTable


class CacheTable(RunTable):
    """The `cache` table."""

    def find(self, key: str) -> Answer | None:
        """Return the cached answer for a key, or None."""
        row = self._row("SELECT answer FROM cache WHERE key = ?", [key])
        return None if row is None else answers.loads(row[0])

    def keep(self, key: str, model: str, answer: Answer) -> None:
        """Commit an answer, replacing an earlier one."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO cache (key, model, answer, kept) VALUES (?, ?, ?, ?)",
                [key, model, answers.dumps(answer), now()],
            )
