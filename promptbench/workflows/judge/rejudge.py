"""Judge recorded runs again: by the gate as it is now, or with new scores by the checks as they are now. No calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from promptbench import __version__
from promptbench.core.canonical import digest, digest_text
from promptbench.core.errors import InputError
from promptbench.core.subset import Subset
from promptbench.core.types import Attempt, CacheMode, Judging
from promptbench.engine.prepare.options import Selection, StoredPrompt
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite
from promptbench.engine.scoring import judge_requests_of, score_attempt
from promptbench.engine.trajectory import Trajectory, trajectory_of
from promptbench.gate.judge import Result
from promptbench.project import Project
from promptbench.report.model import RungChange, RunReport
from promptbench.store.prompts import Store
from promptbench.store.runs import RunInfo, RunStore
from promptbench.workflows.judge.baseline import production_baseline
from promptbench.workflows.judge.compare import recorded_comparison
from promptbench.workflows.judge.determinism import as_confirmed
from promptbench.workflows.judge.execute import (
    JudgedRun,
    finish,
    judge_all,
    plan_hash,
    run_cases,
    suite_facts,
    table_of,
    undecided,
    without_judges,
)
from promptbench.workflows.judge.looks import record_of
from promptbench.workflows.judge.proof import add_promotions, prove
from promptbench.workflows.judge.report import build
from promptbench.workflows.judge.workers import shared_work

# Attempts that are committed together.
_BATCH = 500
# Answers from which starting other processes takes less time than it saves.
_MANY = 4_000


def gate_run(project: Project, run: str, *, evidence: bool = False) -> RunReport:
    """Judge a recorded run by the suite's gate as it is now; `evidence` adds the proof. A comparison is shown again.

    Raises InputError if the run is unknown, or its suite has an error.
    """
    with project.prompts() as store, project.runs() as runs:
        info = _whole_run(runs, run)
        if info.facts["selection"].get("compared"):
            return recorded_comparison(runs, info)
        prepared = prepare_again(project, store, runs, info)
        table = table_of(prepared, runs, info.id)
        before = production_baseline(prepared, str(info.facts["path"]), store, runs, info.started)
        record = record_of(runs, info)
        verdicts = judge_all(prepared, table, asked_all=info.finished is not None, earlier=before, record=record)
        judged = JudgedRun(prepared, info, without_judges(project, prepared, runs, info, verdicts), table, record)
        [report] = add_promotions(project, store, runs, [judged], [build(runs, judged)])
        if not evidence or judged.verdict.result is Result.NO_VERDICT:
            return report
        return replace(report, proof=prove(project, runs, [judged]))


def rescore(project: Project, run: str) -> RunReport:
    """Score the answers of a recorded run by the suite's checks as they are now, and judge them.

    The report has the answers that are on another rung of the format ladder than in the record.

    The scores are a new run, as old as its answers. Answers to requests that the suite no longer makes are left out. If
    the gate needs answers that are not recorded, the run stays open, and the suite's own command resumes it.

    Raises InputError if the run is unknown, its answers are redacted, or its suite has an error.
    """
    with project.prompts() as store, project.runs() as runs, project.runs() as source:
        info = _whole_run(source, run)
        check_scorable(info)
        prepared = prepare_again(project, store, runs, info)
        plan = plan_hash(prepared, CacheMode(info.facts.get("cache", CacheMode.OFF)), info.facts.get("rule", 1))
        facts = {**info.facts, **suite_facts(project, prepared), "scored_again": info.id}
        new = runs.start_again(info, plan, facts, __version__)
        runs.cases().keep(new.id, run_cases(prepared))
        runs.looks().copy(info.id, new.id)
        record = record_of(runs, new)
        changes: list[RungChange] = []
        for batch, scored in _rescored(project, prepared, source, info):
            runs.add(new.id, [(attempt, False) for attempt in scored])
            changes += _rung_changes(prepared, batch, scored)
        changes.sort(key=lambda it: (it.model, it.prompt, it.case, it.repeat))
        ladders = (str(info.facts.get("ladder", "unknown")), prepared.ladder.hash)
        table = table_of(prepared, runs, new.id)
        verdicts = judge_all(prepared, table, asked_all=None, record=record)
        if all(model.complete for verdict in verdicts for model in verdict.models):
            verdicts = without_judges(project, prepared, runs, new, verdicts)
            judged = finish(runs, JudgedRun(prepared, new, verdicts, table, record))
            [report] = add_promotions(project, store, runs, [judged], [build(runs, judged)])
            return replace(report, rungs=changes, ladders=ladders)
        sentence = (
            "INCONCLUSIVE: with these checks the gate needs answers that this run does not have; "
            f"`{info.facts['command']}` makes these calls"
        )
        verdicts = tuple(undecided(verdict, Result.INCONCLUSIVE, sentence) for verdict in verdicts)
        return replace(build(runs, JudgedRun(prepared, new, verdicts, table, record)), rungs=changes, ladders=ladders)


def check_scorable(info: RunInfo) -> None:
    """Raise InputError for a run whose recorded answers are not those that were scored."""
    if info.facts.get("redacted"):
        hint = "the setting redact-runs was on; `promptbench runs gate` judges its recorded scores"
        raise InputError(f"the answers of run {info.id} are redacted, and cannot be scored again", hint=hint)


def _rung_changes(prepared: PreparedSuite, batch: Sequence[Recorded], scored: Sequence[Attempt]) -> list[RungChange]:
    labels = {variant.hash: variant.label for variant in prepared.variants}
    before = {old.key: old.rung for old, _ in batch}
    return [
        RungChange(
            model=new.key.model,
            prompt=labels.get(new.key.variant, ""),
            case=new.key.case,
            repeat=new.key.repeat,
            before=old.value,
            after=new.rung.value,
            repairs=list(dict.fromkeys(repair.name for repair in new.repairs)),
        )
        for new in scored
        if (old := before[new.key]) and new.rung and old is not new.rung
    ]


def _whole_run(runs: RunStore, run: str) -> RunInfo:
    info = runs.run(run)
    if shard := info.facts.get("shard"):
        hint = "`promptbench runs merge` joins all shards into one run and judges it"
        raise InputError(f"run {info.id} is the shard {shard}, which has no verdict of its own", hint=hint)
    return info


def prepare_again(project: Project, store: Store, runs: RunStore, info: RunInfo) -> PreparedSuite:
    """Assemble the suite of a run as it is now, with the prompt that was in production then.

    Raises InputError for a replay, a comparison, or if the prompts have changed.
    """
    selected, root = info.facts["selection"], project.settings.root
    if selected.get("replayed"):
        hint = f"`{info.facts['command']}` shows its result again, without a call"
        raise InputError(f"run {info.id} replayed logged calls, not the cases of a suite", hint=hint)
    if selected.get("compared"):
        hint = "`promptbench runs report` shows it again"
        raise InputError(f"run {info.id} is a comparison, which does not judge a candidate", hint=hint)
    if "suggested" in selected:
        hint = f"`{info.facts['command']}` made it"
        raise InputError(f"run {info.id} is of `suggest`, which judges a part of the suite", hint=hint)
    champion = next((StoredPrompt(item.name, item.source) for item in info.variants if item.side == "champion"), None)
    selection = Selection(
        paths=(root / info.facts["path"],),
        prompts=tuple(root / name for name in selected["prompt"]),
        models=tuple(selected["model"]),
        cases=tuple(selected["case"]),
        tags=tuple(selected["tag"]),
        subset=Subset.read(selected),
    )
    # No call is made, so no key is needed.
    [prepared], _ = project.assemble(selection, store=store, runs=runs, champion=champion, without_keys=True)
    if not {variant.hash for variant in info.variants} >= {item.hash for item in prepared.variants}:
        hint = f"run it again: {info.facts['command']}"
        raise InputError(f"run {info.id} used prompts that have changed since", hint=hint)
    return as_confirmed(prepared, runs, info)


# A recorded attempt, and what judges said about it.
Recorded = tuple[Attempt, tuple[Judging, ...]]


def _rescored(
    project: Project, prepared: PreparedSuite, source: RunStore, info: RunInfo
) -> Iterator[tuple[Sequence[Recorded], Sequence[Attempt]]]:
    """Yield attempts as recorded, and those of them whose requests the suite would still make with their new scores."""
    recorded = (
        (attempt, tuple(_recorded_judgings(prepared, source, info.id, prepared.cases[attempt.key.case], attempt)))
        if prepared.judges and attempt.key.case in prepared.cases
        else (attempt, ())
        for attempt in source.attempts(info.id)
    )
    batches = iter(lambda: list(islice(recorded, _BATCH)), [])
    there = partial(_score_there, project.settings.root, info, prepared.plan_hash)
    alone = source.grid().pulse(info.id).done < _MANY
    return shared_work(there, partial(_scored, prepared), batches, alone=alone)


_prepared: dict[str, PreparedSuite] = {}  # The suites that this process scores for another one, by plan.


def _score_there(root: Path, info: RunInfo, plan: str, batch: Sequence[Recorded]) -> list[Attempt]:
    # Runs in another process, which assembles the suite by itself: checks cannot be pickled.
    if plan not in _prepared:
        project = Project.open(root)
        with project.prompts() as store, project.runs() as runs:
            prepared = prepare_again(project, store, runs, info)
        if prepared.plan_hash != plan:
            raise InputError(f"the suite '{info.suite}' changed while its answers were scored", hint="score them again")
        _prepared[plan] = prepared
    return _scored(_prepared[plan], batch)


def _scored(prepared: PreparedSuite, batch: Sequence[Recorded]) -> list[Attempt]:
    models = {model.name: model for model in prepared.models}
    scored: list[Attempt] = []
    case: PreparedCase | None = None
    for attempt, judgings in batch:
        key = attempt.key
        model, variant = models.get(key.model), prepared.by_hash.get(key.variant)
        if model is None or key.case not in prepared.cases or (key.variant and variant is None):
            continue
        if case is None or case.name != key.case:
            # The repeats of a case follow each other; building it takes as long as some checks.
            case = prepared.cases[key.case]
        if digest(prepared.request(model, variant, case, key.repeat).as_dict()) != attempt.request_hash:
            continue
        # Other results of tools, or other turns, would have led to other answers.
        if not _is_same_trajectory(attempt, trajectory_of(prepared, model, variant, case, key.repeat)):
            continue
        # It has a recording already.
        answer = replace(attempt.answer, recorded=True) if attempt.answer else None
        new = score_attempt(prepared, case, replace(attempt, answer=answer), judgings)
        scored.append(replace(new, judgings=judgings))
    return scored


def _is_same_trajectory(attempt: Attempt, trajectory: Trajectory | None) -> bool:
    """Return whether the suite would still make the steps of an attempt."""
    if attempt.answer is None or attempt.fallback or trajectory is None:
        return not attempt.steps or attempt.answer is None
    return bool(attempt.steps) and trajectory.led_to(attempt)


def _recorded_judgings(
    prepared: PreparedSuite, source: RunStore, run: str, case: PreparedCase, attempt: Attempt
) -> Iterator[Judging]:
    """Yield the recorded judgements on an answer: from the run itself, or from any equal request."""
    if attempt.answer is None or not prepared.judges:
        return
    for item, text in judge_requests_of(prepared, case, attempt):
        request = prepared.as_sent(item.request)
        key = digest(request.as_dict())
        answer = source.judged(run, key)
        if answer is None and (recording := source.find(key)):
            answer = recording[0]
        verdict = item.check.verdict(answer) if answer else None
        if answer is not None and verdict is not None:
            kept, judge = replace(answer, recorded=True), str(request.model)
            yield Judging(key, judge, case.name, digest_text(text), kept, verdict, cost=0.0, started=attempt.started)
