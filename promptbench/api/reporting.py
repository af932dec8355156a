"""Turns a finished run into what reports show: one pass over its attempts, then plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.api.calibrating import flake_notes
from promptbench.api.causes import cause_of
from promptbench.api.exploring import explored
from promptbench.api.judges import Advisory, judge_rows
from promptbench.api.nlu import NluTallies
from promptbench.api.qa import QaTallies
from promptbench.api.results import Results, expected_of, interval_of
from promptbench.api.running import Finished, case_infos, gated_models, policy_of
from promptbench.api.timing import Timing, longer_wait
from promptbench.core.types import Attempt, Json, Outcome, Rung
from promptbench.core.types import Side as PromptSide
from promptbench.gate.flips import CaseFlip, Flip
from promptbench.gate.judge import Mode, ModelVerdict, Verdict
from promptbench.gate.policy import TRIES
from promptbench.gate.table import Cell, Table
from promptbench.project.bench import BASELINE, PreparedSuite, Variant
from promptbench.report.model import CheckChange, FlipRow, Judgement, LogSummary, Row, RunReport, Saving, Side
from promptbench.report.words import share, times
from promptbench.store.runs import RunStore


@dataclass(slots=True)
class Tally:
    """What adds up for one prompt on one model."""

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
    def asked(self) -> int:
        """Answers that took time and money in this run."""
        return self.answered - self.cached

    @property
    def cost_each(self) -> float | None:
        """US dollars for an answer that was asked for; None when unknown, or when none was."""
        return None if self.cost is None or not self.asked else self.cost / self.asked

    def add(self, attempt: Attempt) -> None:
        if attempt.answer is None or attempt.outcome is Outcome.ERRORED:
            self.errored += attempt.outcome is Outcome.ERRORED
            return
        self.answered += 1
        self.passed += attempt.outcome is Outcome.PASSED
        if attempt.rung is not None:
            self.read += 1
            self.well_formed += attempt.well_formed
            self.rungs[attempt.rung.value] += 1
            self.repairs.update({repair.name for repair in attempt.repairs})
        if attempt.cached:
            # Nothing was asked, so there is nothing in it for times, tokens and costs.
            self.cached += 1
            return
        self.timing.add(attempt)
        if usage := attempt.answer.usage:
            self.tokens_in = (self.tokens_in or 0) + usage.input_tokens
            self.tokens_out = (self.tokens_out or 0) + usage.output_tokens
        # One unknown price makes the sum unknown.
        self.cost = None if self.cost is None or attempt.cost is None else self.cost + attempt.cost

    def row(self, prompt: str, side: str, model: str, *, gated: bool) -> Row:
        cost = self.cost if self.answered else None
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
            cost=cost,
            cost_per_1000=None if self.cost_each is None else self.cost_each * 1000,
            repairs=dict(self.repairs.most_common()),
            cached=self.cached,
            **self.timing.figures(),
        )


@dataclass(slots=True)
class _Shown:
    """The answer that speaks for a prompt at a case: the first failing one, else the first."""

    answer: str
    reasons: Sequence[str]
    passed: bool
    cause: str


@dataclass(slots=True)
class _Checked:
    """Of the first round of one prompt at one case: how many answers were checked, and how many failed each check."""

    answers: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    def holds(self, check: str) -> bool:
        """Whether more answers pass a check than fail it."""
        return self.failed[check] * 2 < self.answers


class Collector:
    """Everything that one pass over the attempts yields. Answers are kept of the cases that are worth showing only."""

    def __init__(self, table: Table, worth_showing: set[tuple[str, str]]) -> None:
        self._table = table
        self._worth = worth_showing
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.shown: dict[tuple[str, str, str], _Shown] = {}
        self._checked: dict[tuple[str, str, str], _Checked] = {}
        self.errors: Counter[tuple[str, str]] = Counter()
        self.attempts: Counter[str] = Counter()
        self.by_fallback: Counter[tuple[str, str]] = Counter()
        self.unjudged: Counter[str] = Counter()
        self.advisory = Advisory()

    def add(self, attempt: Attempt, *, first_round: bool) -> None:
        """Counts an attempt. Tries that were asked because of a failure enter no pass rate."""
        key = attempt.key
        if first_round:
            self.advisory.add(attempt)
            self.tallies.setdefault((key.variant, key.model), Tally()).add(attempt)
        self.attempts[key.model] += 1
        if attempt.error and attempt.answer is not None and attempt.fallback is None:
            self.unjudged[attempt.error] += 1
        elif attempt.error:
            self.errors[key.model, attempt.error] += 1
        if attempt.fallback is not None:
            self.by_fallback[key.model, attempt.fallback] += 1
            return
        if attempt.answer is None or (key.model, key.case) not in self._worth:
            return
        cell = (key.variant, key.model, key.case)
        if first_round and attempt.outcome is not Outcome.ERRORED:
            checked = self._checked.setdefault(cell, _Checked())
            checked.answers += 1
            checked.failed.update({score.check for score in attempt.scores if score.weight and not score.passed})
        passed = attempt.outcome is Outcome.PASSED
        before = self.shown.get(cell)
        if before is None or (before.passed and not passed):
            cause = "" if passed else cause_of(attempt)
            self.shown[cell] = _Shown(attempt.answer.text, attempt.reasons, passed, cause)

    def cause(self, variant: str, model: str, case: str) -> str:
        """Why a prompt fails a case, without what differs from answer to answer; empty where it does not."""
        shown = self.shown.get((variant, model, case))
        return shown.cause if shown else ""

    def check_changes(self, champion: str, candidate: str) -> list[CheckChange]:
        """Of the cases worth showing: where a check holds with one side and not with the other, by check."""
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

    def side(self, variant: str, model: str, case: str) -> Side:
        shown = self.shown.get((variant, model, case))
        cell = self.cell(variant, model, case)
        interval = interval_of(cell.passes, cell.total)
        return Side(cell.passes, cell.total, shown.answer if shown else None, shown.reasons if shown else (), interval)

    def cell(self, variant: str, model: str, case: str) -> Cell:
        return self._table.cell(variant, model, case)


@dataclass(frozen=True, slots=True)
class _Failures:
    """The failing calls of a run's candidates, as lines of a log; read from the record when they are wanted."""

    prepared: PreparedSuite
    record: Path
    run: str

    def __iter__(self) -> Iterator[Mapping[str, Json]]:
        candidates = {item.hash for item in self.prepared.candidates}
        with RunStore(self.record) as runs:
            for attempt in runs.attempts(self.run):
                key = attempt.key
                if attempt.outcome is Outcome.FAILED and key.variant in candidates and key.case in self.prepared.cases:
                    yield _logged(self.prepared, attempt)


def _logged(prepared: PreparedSuite, attempt: Attempt) -> dict[str, Json]:
    answer, case = attempt.answer, prepared.cases[attempt.key.case]
    assert answer is not None
    usage = answer.usage
    return {
        "promptbench": "call/1",
        "id": attempt.request_hash.removeprefix("sha256:")[:12],
        "time": attempt.started,
        "prompt": prepared.prompt_name,
        "prompt_version": attempt.key.variant,
        "vars": dict(case.variables),
        "model": attempt.key.model,
        "params": dict(answer.params),
        "answer": answer.text,
        "finish_reason": answer.finish_reason,
        "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens} if usage else None,
        "latency_ms": None if attempt.cached else round(answer.provider_ms, 1),
        "failed": "; ".join(attempt.reasons),
        "tags": list(case.tags),
    }


def build(
    prepared: PreparedSuite, runs: RunStore, finished: Finished, *, path: str, command: str, notes: Sequence[str]
) -> RunReport:
    """The report on a run. `command` is what makes the same run again."""
    collected = Collector(finished.table, _worth_showing(prepared, finished))
    screen = {
        model.name: 1 if prepared.deterministic(model) else prepared.suite.gate.repeats for model in prepared.models
    }
    nlu, qa = NluTallies(prepared), QaTallies(prepared)
    for attempt in runs.attempts(finished.info.id):
        nlu.add(attempt)
        qa.add(attempt)
        key = attempt.key
        # What is in quarantine is shown on its own, and enters no rate.
        counts = key.repeat < screen.get(key.model, 1) and key.case not in prepared.cases.quarantined
        collected.add(attempt, first_round=counts)
    verdict = finished.verdict
    labels = {variant.hash: variant.label for variant in (*prepared.variants, *prepared.candidates)}
    return RunReport(
        run=finished.info.id,
        suite=prepared.suite.name,
        path=path,
        prompt=prepared.prompt_name,
        started=finished.info.started,
        result=verdict.result.value,
        sentence=verdict.sentence,
        exit=verdict.result.exit,
        cases=len(prepared.cases),
        judgements=[_judgement(item, labels) for item in finished.verdicts],
        rows=list(_rows(prepared, collected)),
        flips=list(_flips(prepared, verdict, collected, flake_notes(runs, prepared.suite.name))),
        log=_log(prepared, verdict, collected),
        comparisons=list(_comparisons(prepared, verdict, collected)),
        notes=list(notes),
        reproduce=command,
        saving=_saving(prepared, finished),
        waits=list(_waits(prepared, collected)),
        errors=list(_errors(collected)),
        judges=judge_rows(runs.judgings(finished.info.id)),
        unjudged=[f"{count} × {why}" for why, count in collected.unjudged.most_common(5)],
        advisory=list(collected.advisory.lines(prepared)),
        nlu=nlu.figures(),
        qa=qa.figures(),
        checks=collected.check_changes(verdict.champion, verdict.candidate) if verdict.champion else [],
        results=Results(prepared, runs.folder, finished.info.id, verdict),
        failures=_Failures(prepared, runs.folder, finished.info.id),
        explored=explored(prepared, runs.folder, finished.info.id, verdict, screen),
    )


def _errors(collected: Collector) -> Iterator[str]:
    for (model, error), count in collected.errors.most_common(5):
        yield f"{model}: {count} × {error}"
    for (model, fallback), count in collected.by_fallback.items():
        answers = f"{count} of {collected.attempts[model]} answers by {fallback} in its location"
        yield f"{model}: {answers}; they prove nothing, and the same command asks the model itself again"


def _worth_showing(prepared: PreparedSuite, finished: Finished) -> set[tuple[str, str]]:
    """The (model, case) pairs of which a reader wants to see the answers."""
    if finished.verdict.mode is Mode.CHAMPION:
        return {
            (model.model, item.case.name)
            for verdict in finished.verdicts
            for model in verdict.models
            for item in model.flips
            if item.flip is not Flip.STILL_PASSING
        }
    return {
        (model.name, case)
        for candidate in prepared.candidates
        for model in prepared.models
        for case, cell in finished.table.cells(candidate.hash, model.name)
        if cell.failures
    }


def _judgement(verdict: Verdict, labels: Mapping[str, str]) -> Judgement:
    counts = Counter(item.flip.value for model in verdict.models for item in model.flips)
    mid_p = [model.mid_p for model in verdict.models if model.mid_p is not None]
    return Judgement(
        candidate=labels[verdict.candidate],
        candidate_hash=verdict.candidate,
        champion=labels[verdict.champion] if verdict.champion else None,
        champion_hash=verdict.champion,
        mode=verdict.mode.value,
        result=verdict.result.value,
        sentence=verdict.sentence,
        counts={flip.value: counts[flip.value] for flip in Flip},
        mid_p=max(mid_p) if mid_p else None,
    )


def _rows(prepared: PreparedSuite, collected: Collector) -> Iterator[Row]:
    for model in prepared.models:
        variants: Sequence[Variant | None] = prepared.variants if model.uses_prompt else (None,)
        for variant in variants:
            tally = collected.tallies.get((variant.hash if variant else BASELINE, model.name), Tally())
            side = variant.side.value if variant else PromptSide.BASELINE.value
            label = variant.label.removesuffix(".prompt") if variant else ""
            yield tally.row(label, side, model.name, gated=model.gated)


def _saving(prepared: PreparedSuite, finished: Finished) -> Saving | None:
    """Beside K + 8 tries of every case with either prompt, and K of one in quarantine."""
    table, policy, apart = finished.table, policy_of(prepared), len(prepared.cases.quarantined)
    asked = everywhere = 0
    for model in gated_models(prepared):
        if model.deterministic or finished.verdict.mode is not Mode.CHAMPION:
            continue
        for variant in prepared.variants:
            asked += sum(cell.total + cell.errored for _, cell in table.cells(variant.hash, model.name))
            screens = (policy.screen(critical=name in prepared.cases.critical) for name in prepared.cases.names)
            everywhere += sum(screens) + (len(prepared.cases) - apart) * TRIES
    return Saving(asked, everywhere) if everywhere else None


def _flips(
    prepared: PreparedSuite, verdict: Verdict, collected: Collector, flakes: Mapping[tuple[str, str], str]
) -> Iterator[FlipRow]:
    for model in verdict.models:
        for item in model.flips or _failing(prepared, verdict, model, collected):
            if item.flip is Flip.STILL_PASSING:
                continue
            champion = None
            if verdict.champion and verdict.mode is Mode.CHAMPION:
                champion = collected.side(verdict.champion, model.model, item.case.name)
            yield FlipRow(
                model=model.model,
                case=item.case.name,
                flip=item.flip.value,
                critical=item.case.critical,
                logged=item.case.name in prepared.cases.with_log,
                champion=champion,
                candidate=collected.side(verdict.candidate, model.model, item.case.name),
                cause=collected.cause(verdict.candidate, model.model, item.case.name),
                expected=expected_of(prepared, item.case.name),
                notes=list(_notes(prepared, model.model, item.case.name, flakes)),
                cluster=item.case.cluster or None,
            )


def _notes(prepared: PreparedSuite, model: str, case: str, flakes: Mapping[tuple[str, str], str]) -> Iterator[str]:
    apart = prepared.cases.quarantined.get(case)
    if apart is not None:
        yield f"in quarantine until {apart.review_by} ({apart.owner}): {apart.reason}"
    if flake := flakes.get((model, case)):
        yield flake


def _failing(
    prepared: PreparedSuite, verdict: Verdict, model: ModelVerdict, collected: Collector
) -> Iterator[CaseFlip]:
    """Without a champion to compare with, what fails is what is worth a look."""
    for case in case_infos(prepared):
        if case.review_by or collected.cell(verdict.candidate, model.model, case.name).failures:
            yield CaseFlip(case, Flip.QUARANTINED if case.review_by else Flip.FAILING, Cell(), Cell())


def _waits(prepared: PreparedSuite, collected: Collector) -> Iterator[str]:
    for model in prepared.models:
        timings = [tally.timing for (_, name), tally in collected.tallies.items() if name == model.name]
        if said := longer_wait(model.name, timings):
            yield said


def _log(prepared: PreparedSuite, verdict: Verdict, collected: Collector) -> LogSummary | None:
    """What became of the inputs in the log, on the first model that uses the prompt."""
    logged = [name for name in prepared.cases.names if name in prepared.cases.with_log]
    if not logged or not verdict.models:
        return None
    model = verdict.models[0].model
    cells = {name: collected.cell(verdict.candidate, model, name) for name in logged}
    failing = [name for name, cell in cells.items() if cell.failures or not cell.total]
    return LogSummary(len(logged), len(logged) - len(failing), failing, model)


def _comparisons(prepared: PreparedSuite, verdict: Verdict, collected: Collector) -> Iterator[str]:
    """Each own model beside the candidate on each model that uses the prompt, in words."""
    for own in (model for model in prepared.models if not model.uses_prompt):
        mine = collected.tallies.get((BASELINE, own.name))
        for model in (model for model in prepared.models if model.uses_prompt):
            theirs = collected.tallies.get((verdict.candidate, model.name))
            if mine and theirs and mine.answered and theirs.answered:
                yield _beside(own.name, mine, model.name, theirs)


def _beside(own: str, mine: Tally, model: str, theirs: Tally) -> str:
    line = (
        f"{own} beside {model}: answers {share(mine.passed, mine.answered)} to {share(theirs.passed, theirs.answered)}"
    )
    fast, slow = mine.timing.latency(), theirs.timing.latency()
    if fast and slow and fast.p50 > 0:
        ratio = slow.p50 / fast.p50
        line += f", {times(ratio)} times as fast" if ratio >= 1 else f", {times(1 / ratio)} times as slow"
    if mine.cost_each and theirs.cost_each:
        ratio = theirs.cost_each / mine.cost_each
        line += f", {times(ratio)} times cheaper" if ratio >= 1 else f", {times(1 / ratio)} times dearer"
    return line
