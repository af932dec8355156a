"""The results of a suite's earlier runs, one line for each prompt and model."""

from __future__ import annotations

from dataclasses import dataclass

MOST_RUNS = 30
# Retries that were made because of a failure enter no rate. A partial run is not comparable with a whole one.
SQL = """
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


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One prompt on one model in one run. `read` counts the answers that were parsed as data; `cost` is US dollars."""

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
