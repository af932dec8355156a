"""Judge recorded runs again: by the gate as it is now, or with new scores by the checks as they are now. No calls."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from threading import Lock
from typing import Any

from promptbench import __version__
from promptbench.core.canonical import digest, digest_by, digest_text
from promptbench.core.clock import now
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.subset import Subset
from promptbench.core.types import Attempt, CacheMode, Judging
from promptbench.engine.prepare.options import Selection, StoredPrompt
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.scoring import judge_requests_of, score_attempt
from promptbench.engine.trajectory import Trajectory, trajectory_of
from promptbench.gate.judge import Result
from promptbench.project import Project
from promptbench.report.model import RungChange, RunReport
from promptbench.store import attempt_rows
from promptbench.store.prompts import Store
from promptbench.store.runs import RunInfo, RunStore, StoredAttempt
from promptbench.workflows.judge.baseline import production_baseline
from promptbench.workflows.judge.cluster import cluster_workers
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
from promptbench.workflows.judge.workers import local_workers

# Attempts that are committed together.
_BATCH = 250
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
    with project.prompts() as store, project.runs() as runs, project.runs() as source, ExitStack() as scope:
        info = _whole_run(source, run)
        check_scorable(info)
        alone = source.grid().pulse(info.id).done < _MANY
        workers = (
            cluster_workers(project, scope)
            if project.settings.values.cluster and not alone
            else local_workers(scope, alone=alone)
        )
        there = partial(_score_there, project.settings.root, info, now())
        for _ in range(workers.processes):
            workers.executor.submit(there, None, ())  # It assembles the suite while this process does.
        prepared = prepare_again(project, store, runs, info)
        plan = plan_hash(prepared, CacheMode(info.facts.get("cache", CacheMode.OFF)), info.facts.get("rule", 1))
        facts = {**info.facts, **suite_facts(project, prepared), "scored_again": info.id}
        new = runs.start_again(info, plan, facts, __version__)
        runs.cases().keep(new.id, run_cases(prepared))
        runs.looks().copy(info.id, new.id)
        record = record_of(runs, new)
        changes: list[RungChange] = []
        recorded = (
            (stored, tuple(_recorded_judgings(prepared, source, info.id, attempt_rows.read(*stored))))
            if prepared.judges and stored[0][2] in prepared.cases
            else (stored, ())
            for stored in source.stored_attempts(info.id)
        )
        batches = iter(lambda: list(islice(recorded, _BATCH)), [])
        for batch, scored in workers.share(
            partial(there, (__version__, prepared.plan_hash)), partial(_scored, prepared), batches
        ):
            kept = [(*item, columns) for item, columns in zip(batch, scored, strict=True) if columns]
            runs.add_scored(new.id, info.id, kept)
            changes += _rung_changes(prepared, kept)
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


def _rung_changes(
    prepared: PreparedSuite, scored: Sequence[tuple[StoredAttempt, Sequence[Judging], tuple[Any, ...]]]
) -> list[RungChange]:
    labels = {variant.hash: variant.label for variant in prepared.variants}
    return [
        RungChange(
            model=model,
            prompt=labels.get(variant, ""),
            case=case,
            repeat=repeat,
            before=row[11],
            after=after,
            repairs=list(dict.fromkeys(name for name, _ in json.loads(repairs))),
        )
        for (row, _), _, (_, after, _, repairs, *_) in scored
        for variant, model, case, repeat in [row[:4]]
        if row[11] and after and row[11] != after
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
    return as_confirmed(_assemble(project, store, runs, info), runs, info)


# Runs that are not judged again: their mark among the facts, what they are, and a hint.
_OTHER_RUNS = (
    (
        "replayed",
        "replayed logged calls, not the cases of a suite",
        "`{command}` shows its result again, without a call",
    ),
    ("compared", "is a comparison, which does not judge a candidate", "`promptbench runs report` shows it again"),
    ("suggested", "is of `suggest`, which judges a part of the suite", "`{command}` made it"),
)


def _assemble(project: Project, store: Store, runs: RunStore | None, info: RunInfo) -> PreparedSuite:
    selected, root = info.facts["selection"], project.settings.root
    for fact, what, hint in _OTHER_RUNS:
        if selected.get(fact):
            raise InputError(f"run {info.id} {what}", hint=hint.format(command=info.facts["command"]))
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
    return prepared


# A recorded attempt, and what judges said about it.
Recorded = tuple[StoredAttempt, tuple[Judging, ...]]

_prepared: dict[tuple[str, str], PreparedSuite] = {}  # The suite that this process scores for another one.
_alone = Lock()  # A worker of a cluster may have several threads, and a suite is for one.


def _score_there(
    root: Path, info: RunInfo, started: str, expected: tuple[str, str] | None, batch: Sequence[Recorded]
) -> list[tuple[Any, ...] | None]:
    # Runs in another process, which assembles the suite by itself: checks cannot be pickled.
    with _alone:
        if (info.id, started) not in _prepared:
            _prepared.clear()
            project = Project.open(root if root.is_dir() else None)
            with project.prompts() as store, project.recordings() as runs:
                _prepared[info.id, started] = _assemble(project, store, runs, info)
        prepared = _prepared[info.id, started]
        if expected and expected != (found := (__version__, prepared.plan_hash)):
            raise EnvironmentFailure(
                f"promptbench and the plan of '{info.suite}': expected {expected}, got {found} on {platform.node()}",
                hint="a worker needs the same version, and the suite with its files and prompts as they are here",
            )
        return _scored(prepared, batch)


def _scored(prepared: PreparedSuite, batch: Sequence[Recorded]) -> list[tuple[Any, ...] | None]:
    # None takes the place of an answer to a request that the suite no longer makes.
    models = {model.name: model for model in prepared.models}
    scored: list[tuple[Any, ...] | None] = []
    # The repeats of a case follow each other; building it and its request takes as long as some checks.
    for (slot, name, case_name), repeats in groupby(batch, lambda recorded: recorded[0][0][:3]):
        model, variant = models.get(name), prepared.by_hash.get(slot)
        if model is None or case_name not in prepared.cases or (slot and variant is None):
            scored += [None for _ in repeats]
            continue
        case = prepared.cases[case_name]
        hash_of = digest_by(prepared.request(model, variant, case, 0).as_dict(), "repeat")
        for stored, judgings in repeats:
            attempt = attempt_rows.read(*stored)
            # Other results of tools, or other turns, would have led to other answers.
            is_made = hash_of(attempt.key.repeat) == attempt.request_hash and _is_same_trajectory(
                attempt, trajectory_of(prepared, model, variant, case, attempt.key.repeat)
            )
            scored.append(
                attempt_rows.scored_columns(score_attempt(prepared, case, attempt, judgings)) if is_made else None
            )
    return scored


def _is_same_trajectory(attempt: Attempt, trajectory: Trajectory | None) -> bool:
    """Return whether the suite would still make the steps of an attempt."""
    if attempt.answer is None or attempt.fallback or trajectory is None:
        return not attempt.steps or attempt.answer is None
    return bool(attempt.steps) and trajectory.led_to(attempt)


def _recorded_judgings(prepared: PreparedSuite, source: RunStore, run: str, attempt: Attempt) -> Iterator[Judging]:
    """Yield the recorded judgements on an answer: from the run itself, or from any equal request."""
    case = prepared.cases[attempt.key.case]
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
