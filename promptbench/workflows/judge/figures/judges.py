"""Summarise the judges of a run, and the checks that decide nothing, for reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from promptbench.core.types import Attempt, Judging
from promptbench.engine.prepare.prepared_suite import BASELINE, PreparedSuite
from promptbench.report.model import JudgeRow


def judge_rows(judgings: Iterable[Judging]) -> list[JudgeRow]:
    """Return a row for each judge that was called, sorted by name."""
    rows: dict[str, JudgeRow] = {}
    for judging in judgings:
        row = rows.get(judging.judge) or JudgeRow(judging.judge, (), 0, 0, 0, None, None, 0.0)
        row = replace(row, questions=row.questions + 1)
        if judging.answer is None:
            rows[judging.judge] = replace(row, without_answer=row.without_answer + 1)
            continue
        usage = judging.answer.usage if judging.tries else None
        rows[judging.judge] = replace(
            row,
            returned=sorted({*row.returned, judging.answer.model}),
            without_verdict=row.without_verdict + (judging.verdict is None),
            input_tokens=(row.input_tokens or 0) + usage.input_tokens if usage else row.input_tokens,
            output_tokens=(row.output_tokens or 0) + usage.output_tokens if usage else row.output_tokens,
            # One unknown price makes the sum unknown.
            cost=None if row.cost is None or judging.cost is None else row.cost + judging.cost,
        )
    return [row for _, row in sorted(rows.items())]


class Advisory:
    """The pass rates of checks without weight, by prompt and model."""

    def __init__(self) -> None:
        self._passed: Counter[tuple[str, str, str]] = Counter()
        self._scored: Counter[tuple[str, str, str]] = Counter()

    def add(self, attempt: Attempt) -> None:
        key = attempt.key
        for score in attempt.scores:
            if not (score.weight or score.errored):
                self._scored[score.check, key.model, key.variant] += 1
                self._passed[score.check, key.model, key.variant] += score.passed

    def lines(self, prepared: PreparedSuite) -> Iterator[str]:
        labels = {variant.hash: variant.label.removesuffix(".prompt") for variant in prepared.variants}
        for check, model, variant in sorted(self._scored):
            count = self._scored[check, model, variant]
            of = f"{labels[variant]} on {model}" if variant != BASELINE else model
            yield f"{check} passes {self._passed[check, model, variant]} of {count} answers of {of}"
