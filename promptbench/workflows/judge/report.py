"""The result of a run or comparison as plain data: one pass over its attempts, then figures and outcomes."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from promptbench.core.call_config import spaced
from promptbench.core.errors import Exit
from promptbench.core.subset import Subset
from promptbench.core.types import Attempt, AttemptKey, Outcome, Side as PromptSide
from promptbench.engine.failure_signature import build_signature
from promptbench.engine.prepare.prepared_suite import PreparedSuite, slot_of
from promptbench.gate.attempt_matrix import AttemptCell, AttemptMatrix
from promptbench.gate.case_outcomes import CaseOutcome, ComparedCase
from promptbench.gate.judge import Mode, Verdict
from promptbench.gate.trial import RETEST
from promptbench.report.model import FlipRow, Judgement, LogSummary, Row, RunReport, Saving, SkippedCase
from promptbench.report.words import money, share, times
from promptbench.store.runs import SHARD, RunInfo, RunStore
from promptbench.workflows.judge.blame import ChainPair
from promptbench.workflows.judge.comparison_sides import CANDIDATE, CHAMPION, Pair, Pairing
from promptbench.workflows.judge.determinism import varying_notes
from promptbench.workflows.judge.execute import JudgedRun, case_infos, gated_models, policy_of
from promptbench.workflows.judge.figures.latency import longer_wait
from promptbench.workflows.judge.figures.steps import StepTallies
from promptbench.workflows.judge.figures.tallies import NluTallies, QaTallies
from promptbench.workflows.judge.recorded_results import (
    FromRecord,
    case_results,
    expected_of,
    explore,
    failing_calls,
    location_of,
    recorded_calls,
)
from promptbench.workflows.judge.run_tally import Collector, Tally, judge_rows
from promptbench.yaml.text import in_braces

_SIDES = {CHAMPION: "A", CANDIDATE: "B"}


def build(runs: RunStore, judged: JudgedRun, notes: Sequence[str] = ()) -> RunReport:
    """Return the result of a run. That of a shard has no verdict, and is successful if all calls were made."""
    prepared, info, verdict = judged.prepared, judged.info, judged.verdict
    cases = _cases_to_show(judged)
    same = {model.name for model in prepared.models if prepared.deterministic(model)}
    worth = {(model, item.case.name) for model, item in cases}
    collected = Collector(judged.table, worth, same)
    screen = {model.name: 1 if model.name in same else prepared.suite.gate.repeats for model in prepared.models}
    retrieving = (it.name for it in prepared.suite.steps if any("{{expect" in repr(one.argument) for one in it.checks))
    nlu, qa, steps = NluTallies(prepared), QaTallies(prepared), StepTallies(retrieving)
    # Texts take most of the time, and are read where something is said of a single answer.
    whole = collected.count(runs.grid().figures(info.id), screen, prepared.cases.quarantined)
    for attempt in runs.attempts(info.id) if whole else runs.attempts_shown(info.id, {case for _, case in worth}):
        nlu.add(attempt)
        qa.add(attempt)
        key = attempt.key
        # Cases in quarantine are shown on their own, and enter no rate.
        counts = key.repeat < screen.get(key.model, 1) and key.case not in prepared.cases.quarantined
        collected.add(attempt, first_round=counts)
        if counts:
            steps.add(attempt)
    labels = {variant.hash: variant.label for variant in (*prepared.variants, *prepared.candidates)}
    flaky = {(item.model, item.case): item for item in runs.calibrations().flaky(prepared.suite.name)}
    champion = verdict.champion if verdict.mode is Mode.CHAMPION else None
    flips = []
    for model, item in cases:
        name, case_notes = item.case.name, []
        if apart := prepared.cases.quarantined.get(name):
            case_notes.append(f"in quarantine until {apart.review_by} ({apart.owner}): {apart.reason}")
        if flake := flaky.get((model, name)):
            tries = f"{flake.passes} of {flake.tries} tries"
            case_notes.append(f"flaky: {tries} passed in the calibration of {flake.day}")
        row = _flip_row(collected, model, item, champion, verdict.candidate, expected_of(prepared, name))
        flips.append(replace(row, logged=name in prepared.cases.with_log, notes=case_notes))
    waits = [
        longer_wait(model.name, [tally.timing for (_, on), tally in collected.tallies.items() if on == model.name])
        for model in prepared.models
    ]
    rows, swaps = dict(_rows(prepared, collected)), AttemptMatrix(runs.cases().swaps(info.id))
    report = RunReport(
        run=info.id,
        suite=prepared.suite.name,
        path=str(info.facts["path"]),
        prompt=prepared.prompt_name,
        started=info.started,
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
            for item in judged.verdicts
        ],
        rows=list(rows.values()),
        flips=flips,
        log=_log(prepared, verdict, collected),
        comparisons=[*_ratios_to_own(prepared, verdict, collected), *_assumed_price(prepared, info)],
        notes=[*notes, *_subset_notes(info), *_named_models(prepared), *varying_notes(prepared)],
        reproduce=str(info.facts["command"]),
        saving=_saving(judged),
        waits=[wait for wait in waits if wait],
        errors=list(_errors(collected)),
        judges=judge_rows(runs.judgings(info.id)),
        unjudged=_unjudged(collected),
        advisory=list(collected.advisory(prepared)),
        nlu=nlu.figures(),
        qa=qa.figures(),
        steps=list(steps.rows(rows)),
        causes=[
            *steps.ceilings(verdict.candidate),
            *steps.causes(ChainPair.of(verdict, prepared.chain_of), verdict, collected.shown, swaps),
        ],
        checks=collected.check_changes(verdict.champion, verdict.candidate) if verdict.champion else [],
        skipped=[_skipped(prepared, name) for name in prepared.cases.skipped],
        results=FromRecord(runs.folder, partial(case_results, judged)),
        failures=FromRecord(runs.folder, partial(failing_calls, prepared, info.id)),
        calls=FromRecord(runs.folder, partial(recorded_calls, prepared, info.id)),
        explored=explore(judged, runs.folder, screen),
    )
    if info.result != SHARD or info.sentence is None:
        return report
    judgements = [replace(item, result=SHARD, sentence=info.sentence) for item in report.judgements]
    return replace(report, result=SHARD, sentence=info.sentence, exit=Exit.YES, judgements=judgements)


def _subset_notes(info: RunInfo) -> Iterator[str]:
    if subset := Subset.read(info.facts.get("selection", {})):
        yield f"only {subset} of the cases: a part of a suite promotes nothing"


def _cases_to_show(judged: JudgedRun) -> list[tuple[str, ComparedCase]]:
    """Return the cases that need attention, by model; without production to compare with, the failing ones."""
    verdict, every, table = judged.verdict, judged.prepared.cases, judged.table
    found: list[tuple[str, ComparedCase]] = []
    for model in verdict.models:
        failing = (
            name
            for name in every.on(model.model)
            if name in every.quarantined or table.cell(verdict.candidate, model.model, name).failures
        )
        cases: Sequence[ComparedCase] = model.cases or [
            ComparedCase(
                case, CaseOutcome.QUARANTINED if case.review_by else CaseOutcome.FAILING, AttemptCell(), AttemptCell()
            )
            for case in case_infos(judged.prepared, failing)
        ]
        found += ((model.model, item) for item in cases if item.outcome is not CaseOutcome.STILL_PASSING)
    return found


def _skipped(prepared: PreparedSuite, name: str) -> SkippedCase:
    location = location_of(prepared, name)
    return SkippedCase(name, prepared.cases.skipped[name], location.path, location.line)


def _assumed_price(prepared: PreparedSuite, info: RunInfo) -> Iterator[str]:
    hourly = info.facts.get("machine_price_per_hour")
    if hourly is not None and any(model.local for model in prepared.models):
        yield f"models on this machine cost ${hourly:.2f} an hour (machine-price-per-hour)"


def build_comparison(
    runs: RunStore,
    pairing: Pairing,
    infos: tuple[RunInfo, RunInfo],
    joint: AttemptMatrix,
    verdict: Verdict,
    *,
    command: str,
    left_out: Mapping[str, Sequence[str]] | None = None,
    expected: Callable[[str], str | None] = lambda _: None,
) -> RunReport:
    """Return the result of a comparison of A with B.

    Args:
        infos: the runs that the answers of A and of B are from.
        command: repeats the comparison.
        expected: returns the right answer to a case, if that is known.
    """
    flips = [(model.model, item) for model in verdict.models for item in model.cases]
    shown = [(model, item) for model, item in flips if item.outcome is not CaseOutcome.STILL_PASSING]
    same = {pair.model for pair in pairing.pairs if pair.deterministic}
    collected = Collector(joint, {(model, item.case.name) for model, item in shown}, same)
    steps = StepTallies()
    for run in dict.fromkeys(info.id for info in infos):
        names = [name for name, info in zip(_SIDES, infos, strict=True) if info.id == run]
        _collect(collected, steps, pairing, runs.attempts(run), names)
    first, info = infos
    ends, together, rows = pairing.pairs[0], first.id == info.id, dict(_compared_rows(pairing, collected))
    apart = (
        f"A is run {first.id}, B is run {info.id}: they did not run side by side, so a change at the provider in "
        "between looks like a change of the prompt"
    )
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
        judgements=[
            _judgement(
                verdict,
                (pairing.labels[1], ends.candidate.variant),
                (pairing.labels[0], ends.champion.variant),
            )
        ],
        rows=list(rows.values()),
        steps=list(steps.rows(rows)),
        flips=[
            _flip_row(collected, model, item, CHAMPION, CANDIDATE, expected(item.case.name)) for model, item in shown
        ],
        log=None,
        comparisons=list(_ratios(pairing, collected)),
        notes=[
            *([] if together else [apart]),
            *_subset_notes(info),
            "a comparison promotes nothing: `promptbench run` judges a candidate against production",
        ],
        reproduce=command,
        errors=list(_errors(collected)),
        judges=judge_rows(runs.judgings(info.id)) if together else [],
        unjudged=_unjudged(collected),
        left_out=left_out or {},
        checks=collected.check_changes(CHAMPION, CANDIDATE),
    )


def _collect(
    collected: Collector, steps: StepTallies, pairing: Pairing, attempts: Iterator[Attempt], sides: Sequence[str]
) -> None:
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
            collected.attempts[key.model] += 1
            if key.repeat < first:
                collected.tallies[side, pair.model].add(attempt)
                steps.add(attempt, of_side)


def _unjudged(collected: Collector) -> list[str]:
    return [f"{count} × {why}" for why, count in collected.unjudged.most_common(5)]


def _errors(collected: Collector) -> Iterator[str]:
    for (model, error), count in collected.errors.most_common(5):
        yield f"{model}: {count} × {error}"
    for (model, fallback), count in collected.by_fallback.items():
        answers = f"{count} of {collected.attempts[model]} answers by {fallback} in its place"
        yield f"{model}: {answers}; they prove nothing, and the same command calls the model itself again"


def _judgement(verdict: Verdict, candidate: tuple[str, str], champion: tuple[str | None, str | None]) -> Judgement:
    # Both sides are given as their label and their version's hash.
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


def _rows(prepared: PreparedSuite, collected: Collector) -> Iterator[tuple[tuple[str, str], Row]]:
    for model in prepared.models:
        for variant in prepared.prompts_of(model):
            slot = (slot_of(variant), model.name)
            tally = collected.tallies.get(slot, Tally())
            side = variant.side.value if variant else PromptSide.BASELINE.value
            label = variant.label.removesuffix(".prompt") if variant else ""
            yield slot, tally.row(label, side, model.name, gated=model.gated)


def _named_models(prepared: PreparedSuite) -> Iterator[str]:
    """Yield what is behind each name that the suite gives a model, and the parameters that it sets."""
    for model in (model for model in prepared.models if model.facts):
        config = {spaced(word): value for word, value in model.config.items()}
        name = f"{model.name} is {model.ref}" if model.own_name else model.name
        prompt = f", gets {model.own_prompt.label} and is not judged" if model.own_prompt else ""
        yield (f"{name} with {in_braces(config)}" if config else name) + prompt


def _compared_rows(pairing: Pairing, collected: Collector) -> Iterator[tuple[tuple[str, str], Row]]:
    for pair in pairing.pairs:
        for name, end, label in zip(_SIDES, (pair.champion, pair.candidate), pairing.labels, strict=True):
            tally = collected.tallies.get((name, pair.model), Tally())
            # The model in a side's name is left out, because it is the group.
            yield (
                (name, pair.model),
                tally.row(label.removesuffix(f" on {end.model}"), _SIDES[name], end.model, gated=True),
            )


def _saving(judged: JudgedRun) -> Saving | None:
    """Compare the calls made with K + 12 tries of every case for both prompts, and K of one in quarantine."""
    prepared, table, policy = judged.prepared, judged.table, policy_of(judged.prepared)
    made = everywhere = 0
    for model in gated_models(prepared):
        if model.deterministic or judged.verdict.mode is not Mode.CHAMPION:
            continue
        cases = case_infos(prepared, prepared.cases.on(model.name))
        for variant in prepared.variants:
            made += sum(cell.total + cell.errored for _, cell in table.cells(variant.hash, model.name))
            everywhere += sum(max(case.repeats, policy.screen(critical=case.critical)) for case in cases)
            everywhere += sum(not case.review_by for case in cases) * RETEST
    return Saving(made, everywhere) if everywhere else None


def _flip_row(
    collected: Collector,
    model: str,
    item: ComparedCase,
    champion: str | None,
    candidate: str,
    expected: str | None,
) -> FlipRow:
    name = item.case.name
    shown = collected.shown.get((candidate, model, name))
    return FlipRow(
        model=model,
        case=name,
        flip=item.outcome.value,
        critical=item.case.critical,
        logged=False,
        champion=collected.side(champion, model, name) if champion else None,
        candidate=collected.side(candidate, model, name),
        cause=build_signature(shown) if shown and shown.outcome is not Outcome.PASSED else "",
        expected=expected,
        cluster=item.case.cluster or None,
    )


def _log(prepared: PreparedSuite, verdict: Verdict, collected: Collector) -> LogSummary | None:
    """Summarise the inputs of the log, on the first model that uses the prompt."""
    if not verdict.models:
        return None
    model = verdict.models[0].model
    logged = [name for name in prepared.cases.on(model) if name in prepared.cases.with_log]
    if not logged:
        return None
    cells = {name: collected.table.cell(verdict.candidate, model, name) for name in logged}
    failing = [name for name, cell in cells.items() if cell.failures or not cell.total]
    return LogSummary(len(logged), len(logged) - len(failing), failing, model)


def _ratios_to_own(prepared: PreparedSuite, verdict: Verdict, collected: Collector) -> Iterator[str]:
    """Compare each own model with the candidate on each model that uses the prompt, in words."""
    for own in (model for model in prepared.models if not model.uses_prompt):
        mine = collected.tallies.get((slot_of(own.own_prompt), own.name))
        for model in (model for model in prepared.models if model.uses_prompt):
            theirs = collected.tallies.get((verdict.candidate, model.name))
            if mine and theirs and mine.answered and theirs.answered:
                answers = [(mine.passed, mine.answered), (theirs.passed, theirs.answered)]
                cases = prepared.cases
                both = [name for name in cases.on(own.name) if cases.terms(name).allow(model.name)]
                if len(both) < len(cases):
                    # One of the two may have the easier cases.
                    sides = ((slot_of(own.own_prompt), own.name), (verdict.candidate, model.name))
                    cells = [[collected.table.cell(*side, case).first(1) for case in both] for side in sides]
                    answers = [(sum(it.passes for it in side), sum(it.total for it in side)) for side in cells]
                yield _ratio_to_own(own.name, mine, model.name, theirs, " to ".join(share(*side) for side in answers))


def _ratio_to_own(own: str, mine: Tally, model: str, theirs: Tally, answers: str) -> str:
    line = f"{own} compared with {model}: answers {answers}"
    fast, slow = mine.timing.latency(), theirs.timing.latency()
    if fast and slow and fast.p50 > 0:
        ratio = slow.p50 / fast.p50
        line += f", {times(ratio)} times as fast" if ratio >= 1 else f", {times(1 / ratio)} times as slow"
    if mine.cost_each and theirs.cost_each:
        ratio = theirs.cost_each / mine.cost_each
        line += f", {times(ratio)} times cheaper" if ratio >= 1 else f", {times(1 / ratio)} times as expensive"
        if mine.passed and theirs.passed:
            cheap, dear = (money(1_000 * (it.cost_each or 0) * it.answered / it.passed) for it in (mine, theirs))
            line += f", {cheap} to {dear} per 1,000 right answers"
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
