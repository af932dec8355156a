"""What a report says of the judges of a run, and of checks that decide nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from promptbench.core.types import Attempt, Json, Judging
from promptbench.project.bench import BASELINE, PreparedSuite
from promptbench.report.model import JudgeRow


def judge_rows(judgings: Iterable[Judging]) -> list[JudgeRow]:
    """A row for each judge that was asked, by its name."""
    tallies: dict[str, _Tally] = {}
    for judging in judgings:
        tallies.setdefault(judging.judge, _Tally()).add(judging)
    return [tally.row(judge) for judge, tally in sorted(tallies.items())]


def what_judges(prepared: PreparedSuite, judgings: Iterable[Judging]) -> dict[str, Json]:
    """For the evidence: each judged check by the hash of its judges, prompt and criterion, with what it counts by, and
    the names by which the judges answered. Empty where nothing is judged.
    """
    if not prepared.judged_checks:
        return {}
    checks = [
        {"check": check.identity, "criterion": check.criterion, "counts": check.counts, "standing": check.standing}
        for check in prepared.judged_checks
    ]
    return {"checks": checks, "returned": {row.judge: list(row.returned) for row in judge_rows(judgings)}}


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
    """How often checks without weight pass, of each prompt on each model."""

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
        """One for each prompt on each model."""
        labels = {variant.hash: variant.label.removesuffix(".prompt") for variant in prepared.variants}
        for check, model, variant in sorted(self._scored):
            count = self._scored[check, model, variant]
            of = f"{labels[variant]} on {model}" if variant != BASELINE else model
            yield f"{check} passes {self._passed[check, model, variant]} of {count} answers of {of}"
