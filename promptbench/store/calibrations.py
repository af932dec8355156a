"""Pass rates of the production version by case and model: a table of `runs.sqlite` that `suite calibrate` fills."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from promptbench.store.run_table import RunTable

_OF_THE_LATEST = """
FROM calibration JOIN run ON run.id = calibration.run
WHERE run.suite = :suite AND run.id = (
    SELECT latest.id FROM calibration AS other JOIN run AS latest ON latest.id = other.run
    WHERE latest.suite = :suite AND other.model = calibration.model
    ORDER BY latest.started DESC, latest.rowid DESC LIMIT 1
)
"""


@dataclass(frozen=True, slots=True)
class FlakyCaseRate:
    """A case that passed `passes` of `tries` on one model; `day` is the calibration's date in ISO 8601."""

    model: str
    case: str
    tries: int
    passes: int
    day: str


class Calibrations(RunTable):
    """The `calibration` table. Readers see only the latest calibration of each model."""

    def keep(self, run: str, found: Iterable[tuple[str, str, int, int]]) -> None:
        """Commit the rows of a calibration run: model, case, tries and passes."""
        with self.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO calibration (run, model, case_name, tries, passes) VALUES (?, ?, ?, ?, ?)",
                ((run, *row) for row in found),
            )

    def flaky(self, suite: str) -> Iterator[FlakyCaseRate]:
        """Yield the cases of a suite that passed some tries and failed others."""
        sql = f"SELECT model, case_name, tries, passes, substr(run.started, 1, 10) {_OF_THE_LATEST}"
        for row in self._rows(f"{sql} AND passes BETWEEN 1 AND tries - 1", {"suite": suite}):
            yield FlakyCaseRate(*row)

    def pass_rates(self, suite: str) -> dict[str, tuple[float, str]]:
        """Return, by model, the share of passed tries over the cases that mostly pass, and the calibration's date."""
        sql = f"SELECT model, 1.0 * sum(passes) / sum(tries), max(substr(run.started, 1, 10)) {_OF_THE_LATEST}"
        rows = self._rows(f"{sql} AND passes * 2 >= tries AND tries > 0 GROUP BY model", {"suite": suite})
        return {model: (rate, day) for model, rate, day in rows}
