"""What earlier runs of a suite found: one line for each prompt on each model."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

_MOST_RUNS = 30
_SQL = """
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
"""Tries that were asked because of a failure enter no rate, and a part of a suite is no point in its history."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One prompt on one model in one run. `read` are the answers that were read as data, `cost` in US dollars."""

    run: str
    started: str
    result: str
    prompt: str
    side: str
    model: str
    answered: int
    passed: int
    read: int
    well_formed: int
    mean_ms: float | None
    cost: float | None


def of_suite(connection: sqlite3.Connection, suite: str, prompt: str) -> Iterator[Figures]:
    """The figures of the latest finished runs of a whole suite about a prompt, the oldest first."""
    for row in connection.execute(_SQL, [suite, prompt, _MOST_RUNS]):
        yield Figures(*row)
