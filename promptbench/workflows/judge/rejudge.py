"""Recorded runs, judged again by today's gate or score_attempt again by today's checks. No calls are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from promptbench import __version__
from promptbench.core.canonical import digest, digest_text
from promptbench.core.errors import InputError
from promptbench.core.types import Attempt, CacheMode, Judging
from promptbench.engine.prepare.evaluate import judge_requests
from promptbench.engine.prepare.options import Selection, StoredPrompt
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite
from promptbench.engine.scoring import checks_of, score_attempt
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import is_complete
from promptbench.gate.judge import Result
from promptbench.project import Project
from promptbench.report.model import RunReport
from promptbench.store.prompts import Store
from promptbench.store.runs import RunInfo, RunStore
from promptbench.workflows.judge.baseline import production_baseline
from promptbench.workflows.judge.compare import recorded_comparison
from promptbench.workflows.judge.execute import (
    Finished,
    case_infos,
    gated_models,
    judge_all,
    plan_hash,
    policy_of,
    run_cases,
    table_of,
    undecided,
    what_is_asked,
    without_judges,
)
from promptbench.workflows.judge.report import build
from promptbench.workflows.store.promote import prove

# Attempts that are committed together.
_BATCH = 500


def gate_run(project: Project, run: str, *, evidence: bool = False) -> RunReport:
    """Judge a recorded run by the suite's gate as it is now; `evidence` adds the proof. A comparison is shown again.

    Raises InputError if the run is unknown, or its suite has an error.
    """
    with project.prompts() as store, project.runs() as runs:
        info = _whole_run(runs, run)
        if info.facts["selection"].get("compared"):
            return recorded_comparison(runs, info)
        prepared = prepared_of(project, store, runs, info)
        table = table_of(prepared, runs, info.id)
        before = production_baseline(prepared, str(info.facts["path"]), store, runs, info.started)
        verdicts = judge_all(prepared, table, asked_all=info.finished is not None, earlier=before)
        finished = Finished(info, without_judges(project, prepared, runs, info.id, verdicts), table)
        report = _report(prepared, runs, finished, info)
        if not evidence or finished.verdict.result is Result.NO_VERDICT:
            return report
        return replace(report, proof=prove(project, runs, [(prepared, finished)]))


def rescore(project: Project, run: str) -> RunReport:
    """Score the answers of a recorded run by the suite's checks as they are now, and judge them.

    The scores are a new run, as old as its answers. Answers to requests that the suite no longer makes are left out. If
    the gate needs answers that are not recorded, the run stays open, and the suite's own command resumes it. Raises
    InputError if the run is unknown, or its suite has an error.
    """
    with project.prompts() as store, project.runs() as runs, project.runs() as source:
        info = _whole_run(source, run)
        prepared = prepared_of(project, store, runs, info)
        plan = plan_hash(prepared, CacheMode(info.facts.get("cache", CacheMode.OFF)))
        facts = {**info.facts, **what_is_asked(project, prepared), "scored_again": info.id}
        new = runs.start_again(info, plan, facts, __version__)
        runs.cases().keep(new.id, run_cases(prepared))
        table = AttemptMatrix(numbers=prepared.cases.numbers, measured=policy_of(prepared).measured)
        attempts = _rescored(prepared, source, info.id)
        while batch := list(islice(attempts, _BATCH)):
            runs.add(new.id, [(attempt, False) for attempt in batch])
            for attempt in batch:
                table.add(attempt)
        whole = is_whole(prepared, table)
        verdicts = judge_all(prepared, table, asked_all=whole)
        if not whole:
            sentence = (
                "INCONCLUSIVE: with these checks the gate needs answers that this run does not have; "
                f"`{info.facts['command']}` makes these calls"
            )
            verdicts = tuple(undecided(verdict, Result.INCONCLUSIVE, sentence) for verdict in verdicts)
        else:
            verdicts = without_judges(project, prepared, runs, new.id, verdicts)
        if whole and verdicts[0].result is not Result.NO_VERDICT:
            runs.finish(new.id, verdicts[0].result.value, verdicts[0].sentence)
        return _report(prepared, runs, Finished(runs.run(new.id), verdicts, table), info)


def _whole_run(runs: RunStore, run: str) -> RunInfo:
    info = runs.run(run)
    if shard := info.facts.get("shard"):
        hint = "`promptbench runs merge` joins all shards into one run and judges it"
        raise InputError(f"run {info.id} is the shard {shard}, which has no verdict of its own", hint=hint)
    return info


def prepared_of(project: Project, store: Store, runs: RunStore, info: RunInfo) -> PreparedSuite:
    """Assemble the suite of a run as it is now, with the prompt that was in production then.

    Raises InputError for a replay, a comparison, or if the prompts have changed.
    """
    path, chosen = info.facts["path"], info.facts["selection"]
    if chosen.get("replayed"):
        hint = f"`{info.facts['command']}` shows its result again, without a call"
        raise InputError(f"run {info.id} replayed logged calls, not the cases of a suite", hint=hint)
    if chosen.get("compared"):
        hint = "`promptbench runs report` shows it again"
        raise InputError(f"run {info.id} is a comparison, which does not judge a candidate", hint=hint)
    champion = next((StoredPrompt(item.name, item.source) for item in info.variants if item.side == "champion"), None)
    root = project.settings.root
    selection = Selection(
        paths=(root / path,),
        prompts=tuple(root / name for name in chosen["prompt"]),
        models=tuple(chosen["model"]),
        cases=tuple(chosen["case"]),
        tags=tuple(chosen["tag"]),
    )
    # No call is made, so no key is needed.
    [prepared], _ = project.assemble(selection, store=store, runs=runs, champion=champion, without_keys=True)
    if not {variant.hash for variant in info.variants} >= {item.hash for item in prepared.variants}:
        hint = f"run it again: {info.facts['command']}"
        raise InputError(f"run {info.id} used prompts that have changed since", hint=hint)
    return prepared


def _rescored(prepared: PreparedSuite, source: RunStore, run: str) -> Iterator[Attempt]:
    """Yield the attempts whose requests the suite would still make, with their new scores."""
    variants = {variant.hash: variant for variant in prepared.variants}
    models = {model.name: model for model in prepared.models}
    for attempt in source.attempts(run):
        key = attempt.key
        model, variant = models.get(key.model), variants.get(key.variant)
        if model is None or key.case not in prepared.cases or (model.uses_prompt and variant is None):
            continue
        case = prepared.cases[key.case]
        asked = prepared.request(model, variant, case, key.repeat)
        if digest(asked.as_dict()) != attempt.request_hash:
            continue
        # It has a recording already.
        answer = replace(attempt.answer, recorded=True) if attempt.answer else None
        judgings = list(_recalled(prepared, source, run, case, attempt))
        yield replace(
            score_attempt(prepared, case, replace(attempt, answer=answer), judgings), judgings=tuple(judgings)
        )


def _recalled(
    prepared: PreparedSuite, source: RunStore, run: str, case: PreparedCase, attempt: Attempt
) -> Iterator[Judging]:
    """Yield the recorded judgements on an answer: from the run itself, or from any equal request."""
    if attempt.answer is None or not prepared.judges:
        return
    text = attempt.answer.text
    for item in judge_requests(
        text, checks_of(case, attempt.key.variant), prepared.accept, case.variables, prepared.ladder
    ):
        question = prepared.as_sent(item.request)
        key = digest(question.as_dict())
        found = source.judged(run, key)
        recording = None if found else source.find(key)
        answer = found or (recording[0] if recording else None)
        verdict = item.check.verdict(answer) if answer else None
        if answer is not None and verdict is not None:
            kept, judge = replace(answer, recorded=True), str(question.model)
            yield Judging(key, judge, case.name, digest_text(text), kept, verdict, cost=0.0, started=attempt.started)


def is_whole(prepared: PreparedSuite, table: AttemptMatrix) -> bool:
    """Return True if the gate has all the answers that it needs."""
    champion = prepared.champion.hash if prepared.champion else None
    return all(
        is_complete(
            table,
            champion,
            candidate.hash,
            model.name,
            case_infos(prepared),
            deterministic=model.deterministic,
            policy=policy_of(prepared),
        )
        for candidate in prepared.candidates
        for model in gated_models(prepared)
    )


def _report(prepared: PreparedSuite, runs: RunStore, finished: Finished, info: RunInfo) -> RunReport:
    path, command = info.facts["path"], info.facts["command"]
    return build(prepared, runs, finished, path=path, command=command, notes=())
