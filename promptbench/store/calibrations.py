"""How often production's answers flake, by case and model: a table of `runs.sqlite` that calibrations fill."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from promptbench.store.database import immediate, storage_errors


@dataclass(frozen=True, slots=True)
class Flake:
    """Of so many tries of one case on one model, how many passed; `day` is the calibration's, in ISO 8601."""

    model: str
    case: str
    tries: int
    passes: int
    day: str


_LATEST = """
SELECT model, case_name, tries, passes, substr(run.started, 1, 10)
FROM calibration JOIN run ON run.id = calibration.run
WHERE run.suite = :suite AND passes BETWEEN 1 AND tries - 1 AND run.id = (
    SELECT latest.id FROM calibration AS other JOIN run AS latest ON latest.id = other.run
    WHERE latest.suite = :suite AND other.model = calibration.model
    ORDER BY latest.started DESC, latest.rowid DESC LIMIT 1
)
"""

_PASSING = """
SELECT model, 1.0 * sum(passes) / sum(tries), max(substr(run.started, 1, 10))
FROM calibration JOIN run ON run.id = calibration.run
WHERE run.suite = :suite AND passes * 2 >= tries AND tries > 0 AND run.id = (
    SELECT latest.id FROM calibration AS other JOIN run AS latest ON latest.id = other.run
    WHERE latest.suite = :suite AND other.model = calibration.model
    ORDER BY latest.started DESC, latest.rowid DESC LIMIT 1
)
GROUP BY model
"""


class Calibrations:
    """The table, over the connection of the run record."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def keep(self, run: str, found: Iterable[tuple[str, str, int, int]]) -> None:
        """Commits what a calibrating run found: model, case, tries and passes of each."""
        with storage_errors(self._path, "run record"), immediate(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO calibration (run, model, case_name, tries, passes) VALUES (?, ?, ?, ?, ?)",
                ((run, *row) for row in found),
            )

    def flaky(self, suite: str) -> Iterator[Flake]:
        """The cases that passed some tries and failed others, by the latest calibration on each model."""
        with storage_errors(self._path, "run record"):
            for row in self._connection.execute(_LATEST, {"suite": suite}):
                yield Flake(*row)

    def passing(self, suite: str) -> dict[str, tuple[float, str]]:
        """By model, of the cases that mostly pass: the share of tries that did, and the day of the calibration."""
        with storage_errors(self._path, "run record"):
            return {model: (rate, day) for model, rate, day in self._connection.execute(_PASSING, {"suite": suite})}
