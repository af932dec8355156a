"""Logged calls against a suite: their answers scored again, or their inputs asked again of champion and candidate."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.api.capturing import sound_suite
from promptbench.api.running import Asked, Finished, execute
from promptbench.api.spending import Spending, expected
from promptbench.api.workspace import Project
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import NothingSelected
from promptbench.core.events import Listener
from promptbench.core.types import LoggedCall
from promptbench.engine.estimate import Estimate
from promptbench.gate.flips import Flip
from promptbench.gate.judge import ModelVerdict, Result
from promptbench.project.bench import PreparedSuite
from promptbench.project.cases import CaseBuilder
from promptbench.project.inputs import unusable
from promptbench.project.options import Selection
from promptbench.prompts.prompt import Prompt
from promptbench.report.replay import LoggedModel, ReplayedCase, ReplayReport, RescoreReport


@dataclass(frozen=True, slots=True)
class Price:
    """What a replay is about to ask: failures, and by model the calls, tokens and cost of the first round."""

    failures: int
    expected: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class _Usable:
    """The calls that can be put to a suite's prompts, and why the others cannot, each reason with its count."""

    calls: list[LoggedCall] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def replay_answers(project: Project, path: Path, calls: Sequence[LoggedCall]) -> RescoreReport:
    """The logged answers by the suite's checks as they are now. No model is asked.

    Raises InputError when the suite has mistakes, NothingSelected when no call is left.
    """
    file = project.suite_file(path)
    shown = project.shown(file)
    with project.prompts() as store, project.recordings() as runs:
        options = project.prepare_options(Selection(), store, runs)
        suite, prompts = sound_suite(file, shown, options)
        usable = _usable(calls, [item.prompt for item in prompts])
        builder = CaseBuilder(suite, prompts, Diagnostics(), options)
        cases = builder.scan(usable.calls, lambda case: case.name in builder.calls)
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
    tell: Callable[[Price], object],
    listen: Listener,
    dry_run: bool = False,
) -> ReplayReport | None:
    """Asks the logged inputs again, of champion and candidate on every model; None for a `dry_run`.

    Only failures are asked: calls whose logged answers fail the checks as they are now. `tell` hears what it will
    cost before any call. Raises as `run` does, and NothingSelected when no failure is left.
    """
    file = project.suite_file(selection.paths[0])
    with project.prompts() as store, project.recordings() if dry_run else project.runs() as runs:
        options = project.prepare_options(selection, store, runs)
        _, prompts = sound_suite(file, project.shown(file), options)
        usable = _usable(calls, [item.prompt for item in prompts])
        [prepared], _ = project.assemble(selection, store=store, runs=runs, calls=usable.calls)
        spending.check(project, [prepared])
        tell(Price(sum(map(len, prepared.calls.values())), expected(project, prepared)))
        if dry_run or runs is None:
            return None
        chosen = {"prompt": [], "model": [], "case": [], "tag": [], "replayed": list(prepared.calls)}
        asked = Asked(shlex.join(command), chosen)
        budgets = spending.budgets(spending.budget(), prepared)
        finished = execute(project, prepared, runs, listen, asked=asked, budgets=budgets)
    return _report(project, prepared, finished, usable)


def _usable(calls: Sequence[LoggedCall], prompts: Sequence[Prompt]) -> _Usable:
    usable = _Usable()
    for call in calls:
        why = "no answer came" if call.answer is None else unusable(call, prompts)
        if call.prompt is not None and call.prompt != prompts[0].name:
            why = "another prompt was asked"
        if why is None:
            usable.calls.append(call)
        else:
            usable.left_out[why] += 1
    if not usable.calls:
        reasons = "; ".join(f"{count} × {why}" for why, count in usable.left_out.most_common(3))
        raise NothingSelected("no logged call can be replayed" + (f": {reasons}" if reasons else ""))
    return usable


def _report(project: Project, prepared: PreparedSuite, finished: Finished, usable: _Usable) -> ReplayReport:
    verdict = finished.verdict
    asked = [model.model for model in verdict.models]
    cases = [
        _replayed(prepared, finished, name, calls) for name, calls in prepared.calls.items() if name in prepared.cases
    ]
    labels = {variant.hash: variant.label for variant in (*prepared.variants, *prepared.candidates)}
    return ReplayReport(
        path=project.shown(prepared.suite.path),
        run=finished.info.id,
        candidate=labels[verdict.candidate],
        champion=labels[verdict.champion] if verdict.champion else None,
        models=asked,
        cases=cases,
        passing_now=len(usable.calls) - sum(map(len, prepared.calls.values())),
        left_out=dict(usable.left_out),
        no_verdict=verdict.sentence if verdict.result is Result.NO_VERDICT else None,
    )


def _replayed(prepared: PreparedSuite, finished: Finished, name: str, calls: Sequence[LoggedCall]) -> ReplayedCase:
    """What became of one logged input on all models together."""
    models = finished.verdict.models
    states = [_state(finished, model, name) for model in models]
    known = [state for state in states if state != Flip.NO_ANSWER.value]
    if not known:
        state = Flip.NO_ANSWER.value
    elif Flip.STILL_FAILING.value in known:
        state = Flip.STILL_FAILING.value
    else:
        state = Flip.FIXED.value if Flip.FIXED.value in known else Flip.NOT_REPRODUCED.value
    asked = {model.model.rpartition("/")[2] for model in models}
    others = sorted({call.model for call in calls if call.model and call.model.rpartition("/")[2] not in asked})
    return ReplayedCase(
        case=name,
        calls=[call.id for call in calls],
        state=state,
        by_model={model.model: state for model, state in zip(models, states, strict=True)},
        other_models=others,
        reproduced_on=sum(_reproduced(finished, model, name) for model in models),
    )


def _state(finished: Finished, model: ModelVerdict, name: str) -> str:
    """The state of a logged failure on one model: fixed, still failing, not reproduced, or without an answer."""
    ours = finished.table.cell(finished.verdict.candidate, model.model, name)
    flip = next((item.flip for item in model.flips if item.case.name == name), None)
    if flip is None:
        if not ours.total:
            return Flip.NO_ANSWER.value
        return (Flip.STILL_FAILING if ours.failures * 2 >= ours.total else Flip.FIXED).value
    if flip in (Flip.BROKEN, Flip.UNSTABLE):
        return Flip.STILL_FAILING.value
    return (Flip.NOT_REPRODUCED if flip in (Flip.STILL_PASSING, Flip.FLAKY) else flip).value


def _reproduced(finished: Finished, model: ModelVerdict, name: str) -> bool:
    """Whether the prompt in production fails it on a model; without one, whether the candidate does."""
    theirs = finished.table.cell(finished.verdict.champion or finished.verdict.candidate, model.model, name)
    return bool(theirs.total) and theirs.failures * 2 >= theirs.total
