"""The cases of runs: a table of `runs.sqlite`, so that two runs can be compared case by case later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptbench.core.canonical import canonical
from promptbench.core.types import Json
from promptbench.store.run_table import RunTable


@dataclass(frozen=True, slots=True)
class RunCase:
    """A case of a run. Two with the same name and `content` are the same case with the same checks.

    `content` is a signed 64-bit hash; `gated_by` holds what the gate knew of the case besides its name.
    """

    name: str
    content: int
    gated_by: Mapping[str, Json] = field(default_factory=dict)


class RunCases(RunTable):
    """The `run_case` table."""

    def keep(self, run: str, cases: Iterable[RunCase]) -> None:
        """Commit the cases of a run. Do nothing if they are stored already: a run's cases never change."""
        with self.transaction() as connection:
            if connection.execute("SELECT 1 FROM run_case WHERE run = ?", [run]).fetchone():
                return
            connection.executemany(
                "INSERT INTO run_case (run, case_name, content, gated_by) VALUES (?, ?, ?, ?)",
                ([run, case.name, case.content, canonical(case.gated_by) if case.gated_by else None] for case in cases),
            )

    def runs_with(self, hashes: Sequence[str]) -> list[tuple[str, str]]:
        """Return the finished suite runs that include all these versions, newest first, as (run, suite)."""
        sql = (
            "SELECT run.id, run.suite FROM run JOIN variant ON variant.run = run.id "
            f"AND hash IN ({', '.join('?' * len(hashes))}) "
            "WHERE finished NOTNULL AND json_extract(facts, '$.selection.replayed') IS NULL "
            "GROUP BY run.id HAVING count(*) = ? ORDER BY run.started DESC, run.rowid DESC"
        )
        return [(run, suite) for run, suite in self._rows(sql, [*hashes, len(hashes)])]

    def of(self, run: str) -> Iterator[RunCase]:
        """Yield the cases of a run by name; none for a run from before they were stored."""
        sql = "SELECT case_name, content, gated_by FROM run_case WHERE run = ?"
        for name, content, gated_by in self._rows(sql, [run]):
            yield RunCase(name, content, json.loads(gated_by) if gated_by else {})
