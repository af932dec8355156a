"""What the cases of a run were: a table of `runs.sqlite`, so that two runs can be compared case by case later."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.core.canonical import canonical
from promptbench.core.types import Json
from promptbench.store.database import immediate, storage_errors


@dataclass(frozen=True, slots=True)
class RunCase:
    """A case as a run asked it. Two with the same name and `content` are the same case, with the same checks.

    `content` is a hash of 64 bits, signed; `gated_by` what the gate knew of the case besides its name.
    """

    name: str
    content: int
    gated_by: Mapping[str, Json] = field(default_factory=dict)


class RunCases:
    """The table, over the connection of the run record."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def keep(self, run: str, cases: Iterable[RunCase]) -> None:
        """Commits the cases of a run; none where they are kept already, since a run's cases never change."""
        with storage_errors(self._path, "run record"), immediate(self._connection):
            if self._connection.execute("SELECT 1 FROM run_case WHERE run = ?", [run]).fetchone():
                return
            self._connection.executemany(
                "INSERT INTO run_case (run, case_name, content, gated_by) VALUES (?, ?, ?, ?)",
                ([run, case.name, case.content, canonical(case.gated_by) if case.gated_by else None] for case in cases),
            )

    def runs_with(self, hashes: Sequence[str]) -> list[tuple[str, str]]:
        """The finished runs of suites that asked all these versions, the newest first: each run with its suite."""
        marks = ", ".join("?" * len(hashes))
        with storage_errors(self._path, "run record"):
            return self._connection.execute(
                f"SELECT run.id, run.suite FROM run JOIN variant ON variant.run = run.id AND hash IN ({marks}) "
                "WHERE finished NOTNULL AND json_extract(facts, '$.selection.replayed') IS NULL "
                "GROUP BY run.id HAVING count(*) = ? ORDER BY run.started DESC, run.rowid DESC",
                [*hashes, len(hashes)],
            ).fetchall()

    def of(self, run: str) -> Iterator[RunCase]:
        """The cases of a run, by name; none of a run that was made before they were kept."""
        with storage_errors(self._path, "run record"):
            rows = self._connection.execute("SELECT case_name, content, gated_by FROM run_case WHERE run = ?", [run])
            for name, content, gated_by in rows:
                yield RunCase(name, content, json.loads(gated_by) if gated_by else {})
