"""Collect of the attempts of a run the sums by prompt and model, and the answers to show."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from promptbench.core.types import Attempt, AttemptKey, Judging, Outcome, Repair, Rung, Score, failures
from promptbench.engine.prepare.prepared_suite import BASELINE, PreparedSuite
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.report.model import CheckChange, JudgeRow, Row, SideResult
from promptbench.store.attempt_rows import parse
from promptbench.workflows.judge.figures.latency import Timing
from promptbench.workflows.judge.figures.tallies import FIGURED
from promptbench.workflows.judge.recorded_results import called_tools, interval_of


@dataclass(slots=True)
class Tally:
    """Sums for one prompt on one model."""

    passed: int = 0
    answered: int = 0
    errored: int = 0
    read: int = 0
    well_formed: int = 0
    rungs: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    timing: Timing = field(default_factory=Timing)
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = 0.0
    cached: int = 0

    @property
    def cost_each(self) -> float | None:
        """Return US dollars per answer that was paid for; None if unknown, or if there is none."""
        paid = self.answered - self.cached
        return None if self.cost is None or not paid else self.cost / paid

    def add(self, attempt: Attempt) -> None:
        answer = attempt.answer
        usage = answer.usage if answer else None
        self.count(
            attempt.repairs,
            answer is not None and not (answer.recorded or answer.by_batch),
            attempt.outcome,
            answer is not None,
            attempt.rung,
            attempt.well_formed,
            attempt.tries,
            attempt.cost,
            usage.input_tokens if usage else None,
            usage.output_tokens if usage else None,
            answer.provider_ms if answer else 0.0,
            answer.first_byte_ms if answer else None,
            attempt.queue_ms,
            attempt.limit_ms,
            attempt.backoff_ms,
        )

    def count(
        self,
        repairs: Sequence[Repair],
        timed: bool,
        outcome: str,
        answered: bool,
        rung: str | None,
        well_formed: bool,
        tries: int,
        cost: float | None,
        tokens_in: int | None,
        tokens_out: int | None,
        *times: Any,
    ) -> None:
        """Count an attempt as it is on record. `timed` says that its call has `times`, as of `Timing.count`."""
        if not answered or outcome == Outcome.ERRORED:
            self.errored += outcome == Outcome.ERRORED
            return
        self.answered += 1
        self.passed += outcome == Outcome.PASSED
        if rung is not None:
            self.read += 1
            self.well_formed += well_formed
            self.rungs[rung] += 1
            if repairs:
                self.repairs.update({repair.name for repair in repairs})
        if not tries:
            # No call was made, so it has no time, no tokens and no cost.
            self.cached += 1
            return
        if timed:
            self.timing.count(tokens_in, tokens_out, *times)
        if tokens_in is not None:
            self.tokens_in = (self.tokens_in or 0) + tokens_in
            self.tokens_out = (self.tokens_out or 0) + (tokens_out or 0)
        # One unknown price makes the sum unknown.
        self.cost = None if self.cost is None or cost is None else self.cost + cost

    def row(self, prompt: str, side: str, model: str, *, gated: bool) -> Row:
        return Row(
            prompt=prompt,
            side=side,
            model=model,
            gated=gated,
            attempts=self.answered,
            passed=self.passed,
            errored=self.errored,
            well_formed=self.well_formed if self.read else None,
            rungs={rung.value: self.rungs[rung.value] for rung in Rung} if self.read else {},
            input_tokens=self.tokens_in,
            output_tokens=self.tokens_out,
            cost=self.cost if self.answered else None,
            cost_per_1000=None if self.cost_each is None else self.cost_each * 1000,
            repairs=dict(sorted(self.repairs.items(), key=lambda item: (-item[1], item[0]))),
            cached=self.cached,
            **self.timing.figures(),
        )


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


@dataclass(slots=True)
class _Checked:
    """The first round of one prompt at one case: the number of checked answers, and of those that failed each check."""

    answers: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    def holds(self, check: str) -> bool:
        return self.failed[check] * 2 < self.answers


@lru_cache(maxsize=4096)
def _is_figured(scores: str) -> bool:
    return any(score.check in FIGURED or not score.weight for score in parse(Score, scores))


class Collector:
    """Collects what a report says of attempts. Answers are kept only for cases that need attention.

    On `deterministic` models the first try of a case is the fact; another one only confirms that.
    """

    def __init__(
        self,
        table: AttemptMatrix,
        worth_showing: set[tuple[str, str]],
        deterministic: Container[str] = (),
    ) -> None:
        self.table = table
        self._deterministic = deterministic
        self._worth = worth_showing
        self.tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
        # By prompt, model and case: the first failing attempt, else the first.
        self.shown: dict[tuple[str, str, str], Attempt] = {}
        self._checked: dict[tuple[str, str, str], _Checked] = {}
        self.errors: Counter[tuple[str, str]] = Counter()
        self.attempts: Counter[str] = Counter()
        self.by_fallback: Counter[tuple[str, str]] = Counter()
        self.unjudged: Counter[str] = Counter()
        # The checks without weight, by check, model and prompt: passed, and all scores.
        self._advisory: dict[tuple[str, str, str], list[int]] = {}

    def count(self, rows: Iterable[tuple[Any, ...]], screen: Mapping[str, int], apart: Container[str]) -> bool:
        """Count all attempts of a run, those of the first round in tallies, without the cases set `apart`.

        Return whether there are checks with figures or without weight, so that all attempts must be added too.
        """
        is_figured = False
        for variant, model, case, repeat, scores, repairs, *figures in rows:
            self.attempts[model] += 1
            is_figured = is_figured or _is_figured(scores)
            if repeat < screen.get(model, 1) and case not in apart:
                self.tallies[variant, model].count(parse(Repair, repairs), *figures)
        return is_figured

    def add(self, attempt: Attempt, *, first_round: bool, key: AttemptKey | None = None) -> None:
        """Take in what is said of an attempt, in a comparison under the `key` of its side."""
        model, key = attempt.key.model, key or attempt.key
        if first_round:
            for score in attempt.scores:
                if not (score.weight or score.errored):
                    count = self._advisory.setdefault((score.check, model, attempt.key.variant), [0, 0])
                    count[0] += score.passed
                    count[1] += 1
        if attempt.error and attempt.answer is not None and attempt.fallback is None:
            self.unjudged[attempt.error] += 1
        elif attempt.error:
            self.errors[model, attempt.error] += 1
        if attempt.fallback is not None:
            self.by_fallback[model, attempt.fallback] += 1
            return
        if attempt.answer is None or (key.model, key.case) not in self._worth:
            return
        cell = (key.variant, key.model, key.case)
        if first_round and attempt.outcome is not Outcome.ERRORED:
            checked = self._checked.setdefault(cell, _Checked())
            checked.answers += 1
            checked.failed.update({score.check for score in attempt.scores if score.weight and not score.passed})
        before = self.shown.get(cell)
        if before is None or (before.outcome is Outcome.PASSED and attempt.outcome is not Outcome.PASSED):
            self.shown[cell] = attempt

    def advisory(self, prepared: PreparedSuite) -> Iterator[str]:
        """Yield the pass rates of checks without weight, in words."""
        labels = {variant.hash: variant.label.removesuffix(".prompt") for variant in prepared.by_hash.values()}
        for (check, model, variant), (passed, scored) in sorted(self._advisory.items()):
            of = f"{labels[variant]} on {model}" if variant != BASELINE else model
            yield f"{check} passes {passed} of {scored} answers of {of}"

    def check_changes(self, champion: str, candidate: str) -> list[CheckChange]:
        """Count the cases where a check holds for one side and not for the other, by check and model."""
        fixed: Counter[tuple[str, str]] = Counter()
        broken: Counter[tuple[str, str]] = Counter()
        for model, case in self._worth:
            theirs, ours = (self._checked.get((variant, model, case)) for variant in (champion, candidate))
            if theirs is None or ours is None:
                continue
            for check in {*theirs.failed, *ours.failed}:
                fixed[check, model] += not theirs.holds(check) and ours.holds(check)
                broken[check, model] += theirs.holds(check) and not ours.holds(check)
        names = sorted(key for key in {*fixed, *broken} if fixed[key] or broken[key])
        return [CheckChange(check, model, fixed[check, model], broken[check, model]) for check, model in names]

    def side(self, variant: str, model: str, case: str) -> SideResult:
        shown, cell = self.shown.get((variant, model, case)), self.table.cell(variant, model, case)
        cell = cell.first(1) if model in self._deterministic else cell
        return SideResult(
            cell.passes,
            cell.total,
            shown.answer.text if shown and shown.answer else None,
            failures(shown.scores) if shown else (),
            interval_of(cell.passes, cell.total),
            called_tools(shown),
        )
