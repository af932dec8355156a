"""Summarise the judges of a run, and the checks that decide nothing, for reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from promptbench.core.types import Attempt, Judging
from promptbench.engine.prepare.prepared_suite import BASELINE, PreparedSuite
from promptbench.report.model import JudgeRow


def judge_rows(judgings: Iterable[Judging]) -> list[JudgeRow]:
    """Return a row for each judge that was called, sorted by name."""
    tallies: dict[str, _Tally] = {}
    for judging in judgings:
        tallies.setdefault(judging.judge, _Tally()).add(judging)
    return [tally.row(judge) for judge, tally in sorted(tallies.items())]


@dataclass(slots=True)
class _Tally:
    returned: set[str] = field(default_factory=set)
    questions: int = 0
    without_answer: int = 0
    without_verdict: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = 0.0

    def add(self, judging: Judging) -> None:
        self.questions += 1
        if judging.answer is None:
            self.without_answer += 1
            return
        self.returned.add(judging.answer.model)
        self.without_verdict += judging.verdict is None
        # One unknown price makes the sum unknown.
        self.cost = None if self.cost is None or judging.cost is None else self.cost + judging.cost
        if judging.tries and (usage := judging.answer.usage):
            self.tokens_in = (self.tokens_in or 0) + usage.input_tokens
            self.tokens_out = (self.tokens_out or 0) + usage.output_tokens

    def row(self, judge: str) -> JudgeRow:
        return JudgeRow(
            judge,
            sorted(self.returned),
            self.questions,
            self.without_answer,
            self.without_verdict,
            self.tokens_in,
            self.tokens_out,
            self.cost,
        )


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
