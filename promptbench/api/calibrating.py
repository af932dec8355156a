"""What is in production against itself: how much its answers flake, and how often the gate errs by it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from promptbench.api.running import Asked, case_infos, execute, policy_of
from promptbench.api.spending import Spending
from promptbench.api.workspace import Project
from promptbench.core.clock import today
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.events import Listener
from promptbench.core.types import Attempt, AttemptKey, Side
from promptbench.gate.calibration import FalseAlarms, Rate, false_alarms
from promptbench.gate.flips import CaseInfo, Flip
from promptbench.gate.judge import GatedModel, Result, judge
from promptbench.gate.policy import TRIES
from promptbench.gate.table import Table
from promptbench.project.bench import PreparedSuite
from promptbench.project.options import Selection
from promptbench.project.quarantine import max_quarantined
from promptbench.report.calibration import CalibratedModel, CalibratedSuite, CalibrationReport, FlakyCase, Share
from promptbench.settings.settings import actor
from promptbench.stats.beta import clopper_pearson
from promptbench.store.runs import RunStore

_REVIEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class _Plan:
    """A suite as it is, and the bench that asks what is in production often enough for both sides."""

    suite: PreparedSuite
    asked: PreparedSuite
    repeats: int
    command: str


def calibrate(
    project: Project, selection: Selection, *, repeats: int | None, spending: Spending, listen: Listener
) -> CalibrationReport:
    """Asks what is in production `repeats` times for either side of a comparison with itself, the two interleaved.

    By default as often as the gate asks of a case at the most. What is found is kept, and later runs mention it. Raises
    as `run` does, and EnvironmentFailure where not all was answered.
    """
    with project.prompts() as store, project.runs() as runs:
        prepared_suites, _ = project.assemble(selection, store=store, runs=runs)
        plans = [_plan(project, selection, prepared, repeats) for prepared in prepared_suites]
        spending.check(project, [plan.asked for plan in plans])
        whole = spending.budget()
        suites = []
        for plan in plans:
            run = None
            if plan.asked.models:
                asked = Asked(plan.command, _chosen(selection))
                budgets = spending.budgets(whole, plan.asked)
                done = execute(project, plan.asked, runs, listen, asked=asked, budgets=budgets)
                if done.verdict.result is Result.NO_VERDICT:
                    why = done.verdict.sentence.partition(": ")[2]
                    raise EnvironmentFailure(f"no calibration: {why}", hint=f"`{plan.command}` goes on from here")
                run = done.info.id
            suites.append(_found(project, plan, runs, run))
        return CalibrationReport(suites)


def _plan(project: Project, selection: Selection, prepared: PreparedSuite, repeats: int | None) -> _Plan:
    """Raises InputError where nothing is in production."""
    if prepared.champion is None:
        raise InputError(
            f"nothing of '{prepared.prompt_name}' is in production yet, so there is nothing to calibrate by",
            hint="`promptbench adopt` puts in what is in use today",
        )
    words = ["promptbench", "calibrate", project.shown(prepared.suite.folder)]
    for flag, values in _chosen(selection).items():
        words += [word for value in values for word in (f"--{flag}", value)]
    words += ["--repeats", str(repeats)] if repeats else []
    each = repeats or prepared.suite.gate.repeats + TRIES
    alone = replace(prepared, candidates=(replace(prepared.champion, side=Side.CANDIDATE),))
    asked = replace(
        alone,
        models=tuple(model for model in prepared.models if model.gated and not alone.deterministic(model)),
        suite=replace(prepared.suite, gate=prepared.suite.gate.model_copy(update={"repeats": 2 * each})),
        # It proves nothing about a candidate, and is no point in a suite's history.
        partial=True,
    )
    return _Plan(prepared, asked, each, shlex.join(words))


def _chosen(selection: Selection) -> dict[str, list[str]]:
    return {"prompt": [], "model": list(selection.models), "case": list(selection.cases), "tag": list(selection.tags)}


def _found(project: Project, plan: _Plan, runs: RunStore, run: str | None) -> CalibratedSuite:
    prepared, champion = plan.suite, plan.suite.champion
    assert champion is not None
    sides = _sides(runs.outcomes(run), plan.repeats) if run else Table()
    models = []
    for model in plan.asked.models:
        rates = [rate for case in case_infos(prepared) if (rate := _rate(sides, model.name, case)).tries]
        models.append(_model(prepared, model.name, rates, sides))
        if run:
            found = [(model.name, rate.case.name, rate.tries, rate.passes) for rate in rates]
            runs.calibrations().keep(run, found)
    there = {model.name for model in plan.asked.models}
    return CalibratedSuite(
        suite=prepared.suite.name,
        path=project.shown(prepared.suite.path),
        prompt=champion.label,
        run=run,
        repeats=plan.repeats,
        models=models,
        steady=[model.name for model in prepared.models if model.name not in there],
        room=max(0, max_quarantined(len(prepared.suite.cases.numbers)) - len(prepared.cases.quarantined)),
        owner=actor(project.settings, project.environ, None),
        review_by=(date.fromisoformat(today()) + timedelta(days=_REVIEW_DAYS)).isoformat(),
    )


_ONE, _OTHER = "one", "other"


def _sides(attempts: Iterable[Attempt], repeats: int) -> Table:
    """The tries of a version in turn as those of two: as they were asked, so that a bad hour hits both sides alike."""

    def side(attempt: Attempt) -> Attempt:
        key = attempt.key
        name = _OTHER if key.repeat % 2 else _ONE
        return replace(attempt, key=AttemptKey(name, key.model, key.case, key.repeat // 2))

    return Table(side(attempt) for attempt in attempts if attempt.key.repeat < 2 * repeats)


def _rate(sides: Table, model: str, case: CaseInfo) -> Rate:
    cells = [sides.cell(side, model, case.name) for side in (_ONE, _OTHER)]
    return Rate(case, sum(cell.passes for cell in cells), sum(cell.total for cell in cells))


def _model(prepared: PreparedSuite, model: str, rates: Sequence[Rate], sides: Table) -> CalibratedModel:
    policy = policy_of(prepared)
    alarms = false_alarms(rates, policy)
    judged = judge(
        sides,
        champion=_ONE,
        candidate=_OTHER,
        models=[GatedModel(model, deterministic=False)],
        cases=[rate.case for rate in rates],
        policy=policy,
        asked_all=True,
    ).models[0]
    flaky = sorted((rate for rate in rates if rate.flaky), key=lambda rate: abs(rate.passes / rate.tries - 0.5))
    return CalibratedModel(
        model=model,
        cases=len(rates),
        flaky=[_flaky(rate) for rate in flaky],
        broken=_share(alarms, alarms.broken),
        fixed=_share(alarms, alarms.fixed),
        unstable=_share(alarms, alarms.unstable),
        halves={flip.value: judged.count(flip) for flip in (Flip.BROKEN, Flip.FIXED, Flip.UNSTABLE)},
    )


def _flaky(rate: Rate) -> FlakyCase:
    low, high = clopper_pearson(rate.passes, rate.tries)
    case = rate.case
    return FlakyCase(case.name, rate.passes, rate.tries, low, high, case.critical, bool(case.review_by))


def _share(alarms: FalseAlarms, count: int) -> Share:
    return Share(count, alarms.simulations, *alarms.interval(count))


def flake_notes(runs: RunStore, suite: str) -> dict[tuple[str, str], str]:
    """By model and case what the latest calibrations say of those that flake, to be said beside a flip."""
    return {
        (
            flake.model,
            flake.case,
        ): f"flaky: {flake.passes} of {flake.tries} tries passed in the calibration of {flake.day}"
        for flake in runs.calibrations().flaky(suite)
    }
