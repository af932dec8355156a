"""Replay of logged calls: their answers are score_attempt again, or their inputs are sent to champion and candidate."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import NothingSelected
from promptbench.core.events import Listener
from promptbench.core.types import LoggedCall
from promptbench.engine.estimate import Estimate
from promptbench.engine.prepare.cases import CaseBuilder
from promptbench.engine.prepare.inputs import unusable
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.case_outcomes import CaseOutcome
from promptbench.gate.judge import ModelVerdict, Result
from promptbench.project import Project, Selection
from promptbench.prompts.prompt import Prompt
from promptbench.workflows.judge.budgets import Spending, estimate_calls
from promptbench.workflows.judge.execute import JudgedRun, execute
from promptbench.workflows.logs.capture import load_valid_suite
from promptbench.workflows.logs.replay_report import LoggedModel, ReplayedCase, ReplayReport, RescoreReport


@dataclass(frozen=True, slots=True)
class ReplayForecast:
    """What a replay will send: the failures, and for each model the calls, tokens and cost of the first round."""

    failures: int
    expected: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class _Usable:
    """The calls that a suite's prompts can replay, and the reasons why others cannot, with counts."""

    calls: list[LoggedCall] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def replay_answers(project: Project, path: Path, calls: Sequence[LoggedCall]) -> RescoreReport:
    """Score the logged answers with the current checks of the suite, without calling a model.

    Raise InputError if the suite has errors, NothingSelected if no call is left.
    """
    file = project.suite_file(path)
    shown = project.shown(file)
    with project.prompts() as store, project.recordings() as runs:
        around = project.surroundings(Selection(), store, runs)
        suite, prompts = load_valid_suite(file, shown, around)
        usable = _select_usable(calls, [item.prompt for item in prompts])
        builder = CaseBuilder(
            suite,
            prompts,
            Diagnostics(),
            has_baseline=True,
            root=around.root,
            allowed_code=around.allowed_code,
            ladder=around.ladder,
        )
        cases = builder.scan(usable.calls, lambda case: case.name in builder.calls, lambda _: None)
        models: dict[str, LoggedModel] = {}
        for call in usable.calls:
            models.setdefault(call.model, LoggedModel(call.model)).answers += 1
        checks: Counter[str] = Counter()
        failing: set[int] = set()
        for name, red in builder.calls.items():
            for call in red:
                failing.add(id(call))
                found = builder.evaluation(call.answer or "", cases[name])
                models[call.model].failing += 1
                models[call.model].rungs.update([found.rung.value] if found.rung else ())
                checks.update({score.check for score in found.scores if not (score.passed or score.errored)})
    passing = [call.id for call in usable.calls if id(call) not in failing]
    return RescoreReport(shown, list(models.values()), dict(checks.most_common()), passing, dict(usable.left_out))


def replay(
    project: Project,
    selection: Selection,
    calls: Sequence[LoggedCall],
    *,
    command: Sequence[str],
    spending: Spending,
    announce: Callable[[ReplayForecast], object],
    listen: Listener,
    dry_run: bool = False,
) -> ReplayReport | None:
    """Send the logged inputs to champion and candidate on every model. Return None for a `dry_run`.

    Only failures are replayed: calls whose logged answers fail the current checks. `announce` gets the forecast before
    the first call. Raise what `run` raises, and NothingSelected if no failure is left.
    """
    file = project.suite_file(selection.paths[0])
    with project.prompts() as store, project.recordings() if dry_run else project.runs() as runs:
        around = project.surroundings(selection, store, runs)
        _, prompts = load_valid_suite(file, project.shown(file), around)
        usable = _select_usable(calls, [item.prompt for item in prompts])
        [prepared], _ = project.assemble(selection, store=store, runs=runs, calls=usable.calls)
        spending.check(project, [prepared])
        announce(ReplayForecast(sum(map(len, prepared.calls.values())), estimate_calls(project, prepared)))
        if dry_run or runs is None:
            return None
        chosen = {"prompt": [], "model": [], "case": [], "tag": [], "replayed": list(prepared.calls)}
        finished = execute(
            project,
            prepared,
            runs,
            listen,
            command=shlex.join(command),
            selection=chosen,
            budgets=spending.budgets(spending.budget(), prepared),
        )
    return _build_report(project, prepared, finished, usable)


def _select_usable(calls: Sequence[LoggedCall], prompts: Sequence[Prompt]) -> _Usable:
    usable = _Usable()
    for call in calls:
        why = "it has no answer" if call.answer is None else unusable(call, prompts)
        if call.prompt is not None and call.prompt != prompts[0].name:
            why = "it used another prompt"
        if why is None:
            usable.calls.append(call)
        else:
            usable.left_out[why] += 1
    if not usable.calls:
        reasons = "; ".join(f"{count} × {why}" for why, count in usable.left_out.most_common(3))
        raise NothingSelected("no logged call can be replayed" + (f": {reasons}" if reasons else ""))
    return usable


def _build_report(project: Project, prepared: PreparedSuite, finished: JudgedRun, usable: _Usable) -> ReplayReport:
    verdict = finished.verdict
    models = [model.model for model in verdict.models]
    cases = [
        _build_case(prepared, finished, name, calls) for name, calls in prepared.calls.items() if name in prepared.cases
    ]
    labels = {variant.hash: variant.label for variant in (*prepared.variants, *prepared.candidates)}
    return ReplayReport(
        path=project.shown(prepared.suite.path),
        run=finished.info.id,
        candidate=labels[verdict.candidate],
        champion=labels[verdict.champion] if verdict.champion else None,
        models=models,
        cases=cases,
        passing_now=len(usable.calls) - sum(map(len, prepared.calls.values())),
        left_out=dict(usable.left_out),
        no_verdict=verdict.sentence if verdict.result is Result.NO_VERDICT else None,
    )


def _build_case(prepared: PreparedSuite, finished: JudgedRun, name: str, calls: Sequence[LoggedCall]) -> ReplayedCase:
    """Return the state of one logged input over all models."""
    models = finished.verdict.models
    states = [_find_state(finished, model, name) for model in models]
    known = [state for state in states if state != CaseOutcome.NO_ANSWER.value]
    if not known:
        state = CaseOutcome.NO_ANSWER.value
    elif CaseOutcome.STILL_FAILING.value in known:
        state = CaseOutcome.STILL_FAILING.value
    else:
        state = CaseOutcome.FIXED.value if CaseOutcome.FIXED.value in known else CaseOutcome.NOT_REPRODUCED.value
    suite_models = {model.model.rpartition("/")[2] for model in models}
    others = sorted({call.model for call in calls if call.model and call.model.rpartition("/")[2] not in suite_models})
    return ReplayedCase(
        case=name,
        calls=[call.id for call in calls],
        state=state,
        by_model={model.model: state for model, state in zip(models, states, strict=True)},
        other_models=others,
        reproduced_on=sum(_is_reproduced(finished, model, name) for model in models),
    )


def _find_state(finished: JudgedRun, model: ModelVerdict, name: str) -> str:
    """Return the state of a logged failure on one model: fixed, still failing, not reproduced, or without an answer."""
    ours = finished.table.cell(finished.verdict.candidate, model.model, name)
    flip = next((item.outcome for item in model.cases if item.case.name == name), None)
    if flip is None:
        if not ours.total:
            return CaseOutcome.NO_ANSWER.value
        return (CaseOutcome.STILL_FAILING if ours.failures * 2 >= ours.total else CaseOutcome.FIXED).value
    if flip in (CaseOutcome.BROKEN, CaseOutcome.UNSTABLE):
        return CaseOutcome.STILL_FAILING.value
    return (CaseOutcome.NOT_REPRODUCED if flip in (CaseOutcome.STILL_PASSING, CaseOutcome.FLAKY) else flip).value


def _is_reproduced(finished: JudgedRun, model: ModelVerdict, name: str) -> bool:
    """Return True if the production prompt fails it on a model; without one, if the candidate does."""
    theirs = finished.table.cell(finished.verdict.champion or finished.verdict.candidate, model.model, name)
    return bool(theirs.total) and theirs.failures * 2 >= theirs.total
