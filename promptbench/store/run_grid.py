"""What the page reads of a run: its columns (a prompt on a model), counts by case, answers, and how far it is."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from promptbench.core.types import Score, failures
from promptbench.store.run_table import RunTable, Value


@dataclass(frozen=True, slots=True)
class RunColumn:
    """A prompt on a model in a run. `prompt` is empty for a model that uses none."""

    run: str
    variant: str
    model: str
    side: str
    prompt: str


class CaseTally(NamedTuple):
    """Attempts at a case in a column. `first` and `first_passed` count the answers that enter rates."""

    passed: int
    failed: int
    errored: int
    first: int = 0
    first_passed: int = 0


@dataclass(frozen=True, slots=True)
class SampleAnswer:
    """The answer that stands for a case in a column: the first failing one, or the first. `length` is in characters.

    `latency` in milliseconds and `cost` in US dollars are means over all attempts; None if none is known.
    """

    outcome: str
    answer: str | None
    length: int
    reasons: Sequence[str]
    error: str | None
    latency: float | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class RunPulse:
    """How far a run is. `last` is the time of the newest attempt, `recent` their number in its last minute."""

    done: int
    failed: int
    errored: int
    cost: float | None
    last: str | None
    recent: int
    cases: int


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """A run in a list. `finished` and `result` are None while it is not finished."""

    run: str
    suite: str
    started: str
    finished: str | None
    result: str | None
    sentence: str | None
    candidates: str | None


_MOST_SHOWN = 320  # characters of an answer in a list
_ORDER = {"champion": 0, "candidate": 1, "baseline": 2}
# As in the views: only first tries enter rates, and of a deterministic model only the first of all.
_FIRST = (
    "fallback IS NULL AND repeat < CASE WHEN model IN (SELECT value FROM json_each(:same)) THEN 1 ELSE :repeats END"
)
# The figures by which cases are ranked. A recorded answer takes no time.
FIGURES = {"latency": "iif(model LIKE 'recorded/%', NULL, provider_ms)", "cost": "cost"}

# An attempt without its texts: whose it is, its scores and repairs, if its call has a time, and what a report adds up.
_FIGURES = """variant, model, case_name, repeat, scores, repairs,
    tries AND provider_ms NOTNULL AND substr(model, 1, 9) <> 'recorded/',
    outcome, answer_id NOTNULL, rung, well_formed, tries, cost, input_tokens, output_tokens,
    provider_ms, first_byte_ms, queue_ms, limit_ms, backoff_ms"""


class RunGrid(RunTable):
    """The attempts of runs, added up by case."""

    def columns(self, run: str) -> list[RunColumn]:
        """Return the columns of a run that have attempts, by model: production, then the candidates."""
        sql = """SELECT DISTINCT attempt.variant, model, coalesce(side, 'baseline'), coalesce(name, '') FROM attempt
            LEFT JOIN variant ON variant.run = attempt.run AND hash = attempt.variant WHERE attempt.run = ?"""
        found = [
            RunColumn(run, one, model, side, name.removesuffix(".prompt"))
            for one, model, side, name in self._rows(sql, [run])
        ]
        return sorted(found, key=lambda item: (item.model, _ORDER[item.side], item.prompt))

    def tallies(self, run: str) -> Iterator[tuple[str, str, str, CaseTally]]:
        """Yield variant, model, case and what its attempts came to."""
        sql = f"""SELECT variant, model, case_name, sum(outcome = 'passed'), sum(outcome = 'failed'),
                sum(outcome = 'errored'), sum(outcome <> 'errored' AND {_FIRST}), sum(outcome = 'passed' AND {_FIRST})
            FROM attempt WHERE run = :run GROUP BY variant, model, case_name"""
        for variant, model, case, *counts in self._rows(sql, self._screen(run)):
            yield variant, model, case, CaseTally._make(counts)

    def _screen(self, run: str) -> dict[str, Value]:
        """Return the parameters of `_FIRST`."""
        sql = """SELECT coalesce(json_extract(facts, '$.policy.repeats'), 1), (SELECT
                json_group_array(json_extract(value, '$.model')) FROM json_each(facts, '$.models')
                WHERE json_extract(value, '$.deterministic')) FROM run WHERE id = ?"""
        repeats, same = self._row(sql, [run]) or (1, "[]")
        return {"run": run, "repeats": repeats, "same": same}

    def times(self, run: str) -> dict[tuple[str, str], list[float]]:
        """Return the milliseconds of the calls that enter rates, by prompt and model."""
        sql = f"""SELECT coalesce(name, ''), model, provider_ms FROM attempt
            LEFT JOIN variant ON variant.run = attempt.run AND hash = attempt.variant
            WHERE attempt.run = :run AND provider_ms NOTNULL AND model NOT LIKE 'recorded/%' AND {_FIRST}"""
        found: dict[tuple[str, str], list[float]] = {}
        for name, model, taken in self._rows(sql, self._screen(run)):
            found.setdefault((name.removesuffix(".prompt"), model), []).append(taken)
        return found

    def figures(self, run: str) -> Iterator[tuple[Any, ...]]:
        """Yield all attempts of a run without their texts."""
        return self._rows(f"SELECT {_FIGURES} FROM attempt WHERE run = ?", [run])

    def answered_with(self, run: str, text: str) -> set[str]:
        """Return the cases of a run that have an answer with a text in it; upper and lower case are the same."""
        sql = """SELECT DISTINCT case_name FROM attempt JOIN answer ON answer.id = answer_id
            WHERE run = ? AND text LIKE '%' || ? || '%' ESCAPE '\\'"""
        written = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return {str(row[0]) for row in self._rows(sql, [run, written])}

    def samples(self, column: RunColumn, cases: Sequence[str]) -> dict[str, SampleAnswer]:
        """Return the answers that stand for these cases in a column."""
        sql = f"""SELECT case_name, outcome, substr(text, 1, {_MOST_SHOWN}), length(text), error, scores,
                avg({FIGURES["latency"]}) OVER of_case, avg(cost) OVER of_case
            FROM attempt LEFT JOIN answer ON answer.id = answer_id
            WHERE run = ? AND variant = ? AND model = ? AND case_name IN ({", ".join("?" * len(cases))})
            WINDOW of_case AS (PARTITION BY case_name)
            ORDER BY case_name, outcome <> 'failed', repeat DESC"""
        found: dict[str, SampleAnswer] = {}
        for case, outcome, text, length, error, scores, latency, cost in self._rows(
            sql, [column.run, column.variant, column.model, *cases]
        ):
            if case not in found:
                found[case] = SampleAnswer(outcome, text, length or 0, _reasons(scores), error, latency, cost)
        return found

    def ranks(self, column: RunColumn, figure: str, *, down: bool) -> dict[str, int]:
        """Return the ranks of the cases in a column by the mean of one of `FIGURES`, from 0, as far as it is known."""
        sql = f"""SELECT case_name FROM attempt WHERE run = ? AND variant = ? AND model = ? GROUP BY case_name
            HAVING count({FIGURES[figure]}) ORDER BY avg({FIGURES[figure]}) {"DESC" if down else ""}, case_name"""
        found = enumerate(self._rows(sql, [column.run, column.variant, column.model]))
        return {case: rank for rank, (case,) in found}

    def case_history(self, suite: str, case: str, limit: int) -> list[tuple[str, str | None, RunColumn, CaseTally]]:
        """Return start, result, column and counts of a case in the newest runs of its suite, oldest first."""
        newest = "SELECT id FROM run WHERE suite = ? ORDER BY started DESC, rowid DESC LIMIT ?"
        found = []
        for (run,) in list(self._rows(newest, [suite, limit])):
            # With all parts of the key, SQLite reads the attempts at this case only.
            sql = """SELECT run.started, run.result, attempt.variant, model, coalesce(side, 'baseline'),
                    coalesce(name, ''), sum(outcome = 'passed'), sum(outcome = 'failed'), sum(outcome = 'errored')
                FROM run JOIN attempt
                LEFT JOIN variant ON variant.run = run.id AND hash = attempt.variant
                WHERE run.id = ? AND attempt.run = run.id AND case_name = ?
                    AND attempt.variant IN (SELECT hash FROM variant WHERE variant.run = run.id UNION SELECT '')
                    AND model IN (SELECT json_extract(value, '$.model') FROM json_each(run.facts, '$.models'))
                GROUP BY attempt.variant, model ORDER BY side DESC, model"""
            for started, result, variant, model, side, name, *counts in self._rows(sql, [run, case]):
                column = RunColumn(run, variant, model, side, name.removesuffix(".prompt"))
                found.append((started, result, column, CaseTally(*counts)))
        return sorted(found, key=lambda item: item[0])

    def pulse(self, run: str) -> RunPulse:
        """Return how far a run is."""
        sql = """SELECT count(*), coalesce(sum(outcome = 'failed'), 0), coalesce(sum(outcome = 'errored'), 0),
                sum(cost), max(started), coalesce(sum(julianday(started) > julianday('now') - 1.0 / 1440), 0),
                (SELECT count(*) FROM run_case WHERE run_case.run = :run)
            FROM attempt WHERE run = :run"""
        [row] = self._rows(sql, {"run": run})
        return RunPulse(*row)

    def latest_failures(self, run: str, limit: int) -> list[tuple[str, str, str]]:
        """Return case, model and reason of the newest attempts that failed or got no answer."""
        sql = """SELECT case_name, model, error, scores FROM attempt
            WHERE run = ? AND outcome <> 'passed' ORDER BY started DESC LIMIT ?"""
        rows = self._rows(sql, [run, limit])
        return [(case, model, error or "; ".join(_reasons(scores))) for case, model, error, scores in rows]

    def verdicts(self, suite: str = "", limit: int = -1, skip: int = 0) -> list[RunVerdict]:
        """Return the newest runs of a suite, or of all, newest first."""
        sql = """SELECT id, suite, started, finished, result, sentence,
                (SELECT group_concat(name, ', ') FROM variant WHERE run = run.id AND side = 'candidate')
            FROM run WHERE ? IN ('', suite) ORDER BY started DESC, rowid DESC LIMIT ? OFFSET ?"""
        return [RunVerdict(*row) for row in self._rows(sql, [suite, limit, skip])]


def _reasons(written: str) -> list[str]:
    return failures(Score(*score) for score in json.loads(written))
