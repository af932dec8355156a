"""What runs are about, in tables of `runs.sqlite`: their cases, calibrations, returned model names, earlier results."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptbench.core.canonical import canonical
from promptbench.core.types import Attempt, AttemptKey, Json, Outcome
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

    def swaps(self, run: str) -> Iterator[Attempt]:
        """Yield the attempts at chains with steps of two versions, with nothing but their outcomes."""
        for _, *key, outcome in self._rows("SELECT * FROM swap WHERE run = ?", [run]):
            yield Attempt(AttemptKey(*key), Outcome(outcome), "")


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


MOST_RUNS = 30
# Retries that were made because of a failure enter no rate. A partial run is not comparable with a whole one.
HISTORY = """
SELECT run.id, run.started, run.result, coalesce(variant.name, ''), coalesce(variant.side, 'baseline'), attempt.model,
    sum(outcome IN ('passed', 'failed')), sum(outcome = 'passed'),
    sum(outcome IN ('passed', 'failed') AND rung NOTNULL),
    sum(outcome IN ('passed', 'failed') AND rung NOTNULL AND well_formed), avg(provider_ms), sum(cost)
FROM (
    SELECT rowid AS place, * FROM run
    WHERE suite = ? AND prompt = ? AND finished NOTNULL AND NOT coalesce(json_extract(facts, '$.partial'), 0)
    ORDER BY started DESC, place DESC LIMIT ?
) AS run
JOIN attempt ON attempt.run = run.id
LEFT JOIN variant ON variant.run = run.id AND variant.hash = attempt.variant
WHERE attempt.fallback IS NULL AND attempt.repeat < coalesce(json_extract(run.facts, '$.policy.repeats'), 1)
GROUP BY run.id, attempt.variant, attempt.model
ORDER BY run.started, run.place, attempt.model, variant.side
"""
