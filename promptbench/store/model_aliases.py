"""The names under which providers answered, and the first run of a version, to detect a changed model."""

from __future__ import annotations

from promptbench.store.run_table import RunTable

_FIRST = """
SELECT run.id, substr(run.started, 1, 10) FROM run JOIN variant ON variant.run = run.id AND variant.hash = :version
WHERE suite = :suite AND finished NOTNULL AND run.started < :before
    AND json_extract(facts, '$.suite_hash') = :suite_hash AND json_extract(facts, '$.checks_hash') = :checks_hash
    AND NOT coalesce(json_extract(facts, '$.partial'), 0) AND coalesce(json_extract(facts, '$.cache'), 'off') = 'off'
ORDER BY run.started, run.rowid LIMIT 1
"""


class ModelAliases(RunTable):
    """The model names that providers returned in runs."""

    def first_run(
        self, suite: str, version: str, suite_hash: str, checks_hash: str, before: str
    ) -> tuple[str, str] | None:
        """Return name and date of the first finished run of this version with the same whole suite and checks."""
        values = {"suite": suite, "version": version, "suite_hash": suite_hash, "checks_hash": checks_hash}
        row = self._row(_FIRST, {**values, "before": before})
        return None if row is None else (str(row[0]), str(row[1]))

    def names(self, run: str) -> dict[str, list[str]]:
        """Return, by model of a run, the names that its provider returned."""
        found: dict[str, list[str]] = {}
        sql = (
            "SELECT DISTINCT model, model_returned FROM attempt "
            "WHERE run = ? AND model_returned NOTNULL AND fallback IS NULL ORDER BY 1, 2"
        )
        for model, returned in self._rows(sql, [run]):
            found.setdefault(str(model), []).append(str(returned))
        return found
