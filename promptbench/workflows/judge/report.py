"""The result of a run or comparison as plain data: one pass over its attempts, then figures and outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptbench.core.types import Attempt, AttemptKey, Json, Outcome
from promptbench.core.types import Side as PromptSide
from promptbench.engine.prepare.prepared_suite import BASELINE, PreparedSuite, Variant
from promptbench.gate.attempt_matrix import AttemptCell, AttemptMatrix
from promptbench.gate.case_outcomes import CaseOutcome, ComparedCase
from promptbench.gate.judge import Mode, ModelVerdict, Verdict
from promptbench.gate.policy import TRIES
from promptbench.report.model import FlipRow, Judgement, LogSummary, Row, RunReport, Saving
from promptbench.report.words import share, times
from promptbench.store.runs import RunInfo, RunStore
from promptbench.workflows.judge.attempt_details import explored
from promptbench.workflows.judge.case_results import Results, expected_of
from promptbench.workflows.judge.comparison_sides import CANDIDATE, CHAMPION, Pair, Pairing
from promptbench.workflows.judge.execute import Finished, case_infos, gated_models, policy_of
from promptbench.workflows.judge.figures.intents import NluTallies
from promptbench.workflows.judge.figures.judges import judge_rows
from promptbench.workflows.judge.figures.latency import longer_wait
from promptbench.workflows.judge.figures.questions import QaTallies
from promptbench.workflows.judge.run_tally import Collector, Tally
from promptbench.workflows.trust.calibrate import flake_notes

_SIDES = {CHAMPION: "A", CANDIDATE: "B"}


@dataclass(frozen=True, slots=True)
class _Failures:
    """The failing calls of a run's candidates, as lines of a log; read from the record on iteration."""

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


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """One side of a comparison: the run that its answers are from, and its full name."""

    info: RunInfo
    label: str


def build(
    prepared: PreparedSuite, runs: RunStore, finished: Finished, *, path: str, command: str, notes: Sequence[str]
) -> RunReport:
    """Return the result of a run; `command` repeats it."""
    run, verdict = finished.info.id, finished.verdict
    collected = Collector(finished.table, _needing_attention(prepared, finished))
    screen = {
        model.name: 1 if prepared.deterministic(model) else prepared.suite.gate.repeats for model in prepared.models
    }
    nlu, qa = NluTallies(prepared), QaTallies(prepared)
    for attempt in runs.attempts(run):
        nlu.add(attempt)
        qa.add(attempt)
        key = attempt.key
        # Cases in quarantine are shown on their own, and enter no rate.
        counts = key.repeat < screen.get(key.model, 1) and key.case not in prepared.cases.quarantined
        collected.add(attempt, first_round=counts)
    labels = {variant.hash: variant.label for variant in (*prepared.variants, *prepared.candidates)}
    flakes = flake_notes(runs, prepared.suite.name)
    compared = bool(verdict.champion) and verdict.mode is Mode.CHAMPION
    return RunReport(
        run=run,
        suite=prepared.suite.name,
        path=path,
        prompt=prepared.prompt_name,
        started=finished.info.started,
        result=verdict.result.value,
        sentence=verdict.sentence,
        exit=verdict.result.exit,
        cases=len(prepared.cases),
        judgements=[
            _judgement(
                item,
                (labels[item.candidate], item.candidate),
                (labels[item.champion], item.champion) if item.champion else (None, None),
            )
            for item in finished.verdicts
        ],
        rows=list(_rows(prepared, collected)),
        flips=[
            _flip_row(
                collected,
                model.model,
                item,
                verdict.champion if compared else None,
                verdict.candidate,
                logged=item.case.name in prepared.cases.with_log,
                expected=expected_of(prepared, item.case.name),
                notes=list(_notes(prepared, model.model, item.case.name, flakes)),
            )
            for model in verdict.models
            for item in model.cases or _failing(prepared, verdict, model, collected)
            if item.outcome is not CaseOutcome.STILL_PASSING
        ],
        log=_log(prepared, verdict, collected),
        comparisons=list(_ratios_to_own(prepared, verdict, collected)),
        notes=list(notes),
        reproduce=command,
        saving=_saving(prepared, finished),
        waits=list(_waits(prepared, collected)),
        errors=list(_errors(collected)),
        judges=judge_rows(runs.judgings(run)),
        unjudged=_unjudged(collected),
        advisory=list(collected.advisory.lines(prepared)),
        nlu=nlu.figures(),
        qa=qa.figures(),
        checks=collected.check_changes(verdict.champion, verdict.candidate) if verdict.champion else [],
        results=Results(prepared, runs.folder, run, verdict),
        failures=_Failures(prepared, runs.folder, run),
        explored=explored(prepared, runs.folder, run, verdict, screen),
    )


def build_comparison(
    runs: RunStore,
    pairing: Pairing,
    sides: tuple[ComparedSide, ComparedSide],
    joint: AttemptMatrix,
    verdict: Verdict,
    *,
    command: str,
    left_out: Mapping[str, Sequence[str]],
    expected: Callable[[str], str | None] = lambda _: None,
) -> RunReport:
    """Return the result of a comparison of A with B; `command` repeats it.

    `expected` returns the right answer to a case, if that is known.
    """
    flips = [(model.model, item) for model in verdict.models for item in model.cases]
    shown = [(model, item) for model, item in flips if item.outcome is not CaseOutcome.STILL_PASSING]
    collected = Collector(joint, {(model, item.case.name) for model, item in shown})
    for run in dict.fromkeys(side.info.id for side in sides):
        names = [name for name, side in zip(_SIDES, sides, strict=True) if side.info.id == run]
        _collect(collected, pairing, runs.attempts(run), names)
    first, second = sides
    info, ends = second.info, pairing.pairs[0]
    together = first.info.id == info.id
    return RunReport(
        run=info.id,
        suite=info.suite,
        path=str(info.facts["path"]),
        prompt=info.prompt,
        started=info.started,
        result=verdict.result.value,
        sentence=verdict.sentence,
        exit=verdict.result.exit,
        cases=len(pairing.cases),
        judgements=[_judgement(verdict, (second.label, ends.candidate.variant), (first.label, ends.champion.variant))],
        rows=list(_compared_rows(pairing, collected, sides)),
        flips=[
            _flip_row(collected, model, item, CHAMPION, CANDIDATE, expected=expected(item.case.name))
            for model, item in shown
        ],
        log=None,
        comparisons=list(_ratios(pairing, collected)),
        notes=list(_comparison_notes(first.info, info)),
        reproduce=command,
        errors=list(_errors(collected)),
        judges=judge_rows(runs.judgings(info.id)) if together else [],
        unjudged=_unjudged(collected),
        left_out=left_out,
        checks=collected.check_changes(CHAMPION, CANDIDATE),
    )


def _collect(collected: Collector, pairing: Pairing, attempts: Iterator[Attempt], sides: Sequence[str]) -> None:
    """Take in the attempts of a run that has these sides."""
    cases = {case.name for case in pairing.cases}
    ends: dict[tuple[str, str], list[tuple[str, Pair]]] = {}
    for pair in pairing.pairs:
        for side, end in ((CHAMPION, pair.champion), (CANDIDATE, pair.candidate)):
            if side in sides:
                ends.setdefault((end.variant, end.model), []).append((side, pair))
    for attempt in attempts:
        key = attempt.key
        for side, pair in ends.get((key.variant, key.model), ()) if key.case in cases else ():
            first = 1 if pair.deterministic else pairing.policy.repeats
            of_side = AttemptKey(side, pair.model, key.case, key.repeat)
            collected.add(attempt, first_round=key.repeat < first, key=of_side)


def _unjudged(collected: Collector) -> list[str]:
    return [f"{count} × {why}" for why, count in collected.unjudged.most_common(5)]


def _errors(collected: Collector) -> Iterator[str]:
    for (model, error), count in collected.errors.most_common(5):
        yield f"{model}: {count} × {error}"
    for (model, fallback), count in collected.by_fallback.items():
        answers = f"{count} of {collected.attempts[model]} answers by {fallback} in its place"
        yield f"{model}: {answers}; they prove nothing, and the same command calls the model itself again"


def _needing_attention(prepared: PreparedSuite, finished: Finished) -> set[tuple[str, str]]:
    """Return the (model, case) pairs whose answers are shown."""
    if finished.verdict.mode is Mode.CHAMPION:
        return {
            (model.model, item.case.name)
            for verdict in finished.verdicts
            for model in verdict.models
            for item in model.cases
            if item.outcome is not CaseOutcome.STILL_PASSING
        }
    return {
        (model.name, case)
        for candidate in prepared.candidates
        for model in prepared.models
        for case, cell in finished.table.cells(candidate.hash, model.name)
        if cell.failures
    }


def _judgement(verdict: Verdict, candidate: tuple[str, str], champion: tuple[str | None, str | None]) -> Judgement:
    """Both sides are given as their label and their version's hash."""
    counts = Counter(item.outcome.value for model in verdict.models for item in model.cases)
    mid_p = [model.mid_p for model in verdict.models if model.mid_p is not None]
    return Judgement(
        candidate=candidate[0],
        candidate_hash=candidate[1],
        champion=champion[0],
        champion_hash=champion[1],
        mode=verdict.mode.value,
        result=verdict.result.value,
        sentence=verdict.sentence,
        counts={flip.value: counts[flip.value] for flip in CaseOutcome},
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


def _compared_rows(pairing: Pairing, collected: Collector, sides: tuple[ComparedSide, ComparedSide]) -> Iterator[Row]:
    """Yield a row for each side on each model; the model in a side's name is left out, because it is the group."""
    for pair in pairing.pairs:
        for name, end, side in ((CHAMPION, pair.champion, sides[0]), (CANDIDATE, pair.candidate, sides[1])):
            label = side.label.removesuffix(f" on {end.model}")
            tally = collected.tallies.get((name, pair.model), Tally())
            yield tally.row(label, _SIDES[name], end.model, gated=True)


def _saving(prepared: PreparedSuite, finished: Finished) -> Saving | None:
    """Compare the calls made with K + 8 tries of every case for both prompts, and K of one in quarantine."""
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


def _flip_row(
    collected: Collector,
    model: str,
    item: ComparedCase,
    champion: str | None,
    candidate: str,
    *,
    expected: str | None,
    logged: bool = False,
    notes: Sequence[str] = (),
) -> FlipRow:
    name = item.case.name
    return FlipRow(
        model=model,
        case=name,
        flip=item.outcome.value,
        critical=item.case.critical,
        logged=logged,
        champion=collected.side(champion, model, name) if champion else None,
        candidate=collected.side(candidate, model, name),
        cause=collected.cause(candidate, model, name),
        expected=expected,
        notes=notes,
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
) -> Iterator[ComparedCase]:
    """Yield the failing cases, if there is no champion to compare with."""
    for case in case_infos(prepared):
        if case.review_by or collected.cell(verdict.candidate, model.model, case.name).failures:
            yield ComparedCase(
                case, CaseOutcome.QUARANTINED if case.review_by else CaseOutcome.FAILING, AttemptCell(), AttemptCell()
            )


def _waits(prepared: PreparedSuite, collected: Collector) -> Iterator[str]:
    for model in prepared.models:
        timings = [tally.timing for (_, name), tally in collected.tallies.items() if name == model.name]
        if said := longer_wait(model.name, timings):
            yield said


def _log(prepared: PreparedSuite, verdict: Verdict, collected: Collector) -> LogSummary | None:
    """Summarise the inputs of the log, on the first model that uses the prompt."""
    logged = [name for name in prepared.cases.names if name in prepared.cases.with_log]
    if not logged or not verdict.models:
        return None
    model = verdict.models[0].model
    cells = {name: collected.cell(verdict.candidate, model, name) for name in logged}
    failing = [name for name, cell in cells.items() if cell.failures or not cell.total]
    return LogSummary(len(logged), len(logged) - len(failing), failing, model)


def _ratios_to_own(prepared: PreparedSuite, verdict: Verdict, collected: Collector) -> Iterator[str]:
    """Compare each own model with the candidate on each model that uses the prompt, in words."""
    for own in (model for model in prepared.models if not model.uses_prompt):
        mine = collected.tallies.get((BASELINE, own.name))
        for model in (model for model in prepared.models if model.uses_prompt):
            theirs = collected.tallies.get((verdict.candidate, model.name))
            if mine and theirs and mine.answered and theirs.answered:
                yield _ratio_to_own(own.name, mine, model.name, theirs)


def _ratio_to_own(own: str, mine: Tally, model: str, theirs: Tally) -> str:
    answers = f"answers {share(mine.passed, mine.answered)} to {share(theirs.passed, theirs.answered)}"
    line = f"{own} compared with {model}: {answers}"
    fast, slow = mine.timing.latency(), theirs.timing.latency()
    if fast and slow and fast.p50 > 0:
        ratio = slow.p50 / fast.p50
        line += f", {times(ratio)} times as fast" if ratio >= 1 else f", {times(1 / ratio)} times as slow"
    if mine.cost_each and theirs.cost_each:
        ratio = theirs.cost_each / mine.cost_each
        line += f", {times(ratio)} times cheaper" if ratio >= 1 else f", {times(1 / ratio)} times as expensive"
    return line


def _ratios(pairing: Pairing, collected: Collector) -> Iterator[str]:
    """Compare B with A on each model, in words."""
    for pair in pairing.pairs:
        theirs, ours = (collected.tallies.get((side, pair.model), Tally()) for side in _SIDES)
        if not (theirs.answered and ours.answered):
            continue
        where = f" on {pair.model}" if len(pairing.pairs) > 1 else ""
        parts = [f"answers {share(theirs.passed, theirs.answered)} to {share(ours.passed, ours.answered)}"]
        slow, fast = ours.timing.latency(), theirs.timing.latency()
        if slow and fast and fast.p50 > 0 and fast.p99 > 0:
            parts += [f"p50 × {slow.p50 / fast.p50:.2f}", f"p99 × {slow.p99 / fast.p99:.2f}"]
        if theirs.cost_each and ours.cost_each is not None:
            parts.append(f"cost × {ours.cost_each / theirs.cost_each:.2f}")
        yield f"A to B{where}: {', '.join(parts)}"


def _comparison_notes(champion: RunInfo, candidate: RunInfo) -> Iterator[str]:
    if champion.id != candidate.id:
        yield (
            f"A is run {champion.id}, B is run {candidate.id}: they did not run side by side, so a change at the "
            "provider in between looks like a change of the prompt"
        )
    yield "a comparison promotes nothing: `promptbench run` judges a candidate against production"
