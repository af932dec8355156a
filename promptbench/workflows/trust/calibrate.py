"""Judge the production version against itself: which cases are flaky, and how often the gate errs because of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from promptbench.core.clock import today
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.events import Listener
from promptbench.core.types import Attempt, AttemptKey, Side
from promptbench.engine.prepare.case_terms import max_quarantined
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseOutcome
from promptbench.gate.false_alarms import CaseRate, false_alarms
from promptbench.gate.judge import Result
from promptbench.gate.trial import BROKEN, UNSTABLE
from promptbench.project import Project
from promptbench.settings.settings import actor
from promptbench.stats.beta import clopper_pearson
from promptbench.stats.exact import fisher_greater
from promptbench.stats.holm import holm_levels
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.budgets import Spending
from promptbench.workflows.judge.execute import case_infos, execute, policy_of
from promptbench.workflows.trust.calibration_report import (
    CalibratedModel,
    CalibratedSuite,
    CalibrationReport,
    FlakyCase,
    Share,
)

_REVIEW_DAYS = 30
# The tries of each side besides a screen: enough to see a flaky case, at a third of what a verdict takes at most.
_MORE_TRIES = 8
_ONE, _OTHER = "one", "other"


@dataclass(frozen=True, slots=True)
class _Plan:
    """A suite as it is, and the bench that runs the production version often enough for both sides."""

    suite: PreparedSuite
    asked: PreparedSuite
    repeats: int
    command: str


def calibrate(
    project: Project, selection: Selection, *, repeats: int | None, spending: Spending, listen: Listener
) -> CalibrationReport:
    """Run the production version `repeats` times for each side of a comparison with itself, interleaved.

    The pass rates are stored, and later runs mention them.

    Raises:
        InputError: as by `run`, or nothing is in production.
        EnvironmentFailure: as by `run`, or too few calls were answered.
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
                done = execute(
                    project,
                    plan.asked,
                    runs,
                    listen,
                    command=plan.command,
                    selection={"prompt": [], **selection.flags},
                    budgets=spending.budgets(whole, plan.asked),
                )
                if done.verdict.result is Result.NO_VERDICT:
                    why = done.verdict.sentence.partition(": ")[2]
                    raise EnvironmentFailure(f"no calibration: {why}", hint=f"`{plan.command}` resumes it")
                run = done.info.id
            suites.append(_found(project, plan, runs, run))
        return CalibrationReport(suites)


def _plan(project: Project, selection: Selection, prepared: PreparedSuite, repeats: int | None) -> _Plan:
    if prepared.champion is None:
        raise InputError(
            f"no version of '{prepared.prompt_name}' is in production, so there is nothing to calibrate",
            hint="`promptbench adopt` records the prompt that is in use today",
        )
    words = ["promptbench", "suite", "calibrate", project.shown(prepared.suite.folder)]
    for flag, values in selection.flags.items():
        words += [word for value in values for word in (f"--{flag}", value)]
    words += ["--repeats", str(repeats)] if repeats else []
    each = repeats or prepared.suite.gate.repeats + _MORE_TRIES
    alone = replace(prepared, candidates=(replace(prepared.champion, side=Side.CANDIDATE),))
    asked = replace(
        alone,
        models=tuple(model for model in prepared.models if model.gated and not alone.deterministic(model)),
        suite=replace(prepared.suite, gate=prepared.suite.gate.model_copy(update={"repeats": 2 * each})),
        # It proves nothing about a candidate, and does not belong in the suite's history.
        partial=True,
    )
    return _Plan(prepared, asked, each, shlex.join(words))


def _found(project: Project, plan: _Plan, runs: RunStore, run: str | None) -> CalibratedSuite:
    prepared, champion = plan.suite, plan.suite.champion
    assert champion is not None
    sides = _sides(runs.outcomes(run), plan.repeats) if run else AttemptMatrix()
    models = []
    for model in plan.asked.models:
        rates = []
        for case in case_infos(prepared):
            cells = [sides.cell(side, model.name, case.name) for side in (_ONE, _OTHER)]
            rates.append(CaseRate(case, sum(cell.passes for cell in cells), sum(cell.total for cell in cells)))
        rates = [rate for rate in rates if rate.tries]
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


def _sides(attempts: Iterable[Attempt], repeats: int) -> AttemptMatrix:
    # Alternate tries go to each side, in the order of the calls, so that a bad hour affects both alike.

    def side(attempt: Attempt) -> Attempt:
        key = attempt.key
        name = _OTHER if key.repeat % 2 else _ONE
        return replace(attempt, key=AttemptKey(name, key.model, key.case, key.repeat // 2))

    return AttemptMatrix(side(attempt) for attempt in attempts if attempt.key.repeat < 2 * repeats)


def _model(prepared: PreparedSuite, model: str, rates: Sequence[CaseRate], sides: AttemptMatrix) -> CalibratedModel:
    policy = policy_of(prepared)
    alarms = false_alarms(rates, policy)
    flaky = sorted((rate for rate in rates if rate.flaky), key=lambda rate: abs(rate.passes / rate.tries - 0.5))
    return CalibratedModel(
        model=model,
        cases=len(rates),
        flaky=[
            FlakyCase(
                rate.case.name,
                rate.passes,
                rate.tries,
                *clopper_pearson(rate.passes, rate.tries),
                rate.case.critical,
                bool(rate.case.review_by),
            )
            for rate in flaky
        ],
        **{
            name: Share(count, alarms.simulations, *alarms.interval(count))
            for name, count in (("broken", alarms.broken), ("fixed", alarms.fixed), ("unstable", alarms.unstable))
        },
        halves=_halves(rates, sides, model),
    )


def _halves(rates: Sequence[CaseRate], sides: AttemptMatrix, model: str) -> dict[str, int]:
    """Return how many cases the two sides' tries call broken, fixed or unstable, by Fisher's p and Holm's levels."""
    cells = [[sides.cell(side, model, rate.case.name) for side in (_ONE, _OTHER)] for rate in rates]
    counts = [[(cell.passes, cell.total) for cell in pair] for pair in cells if all(cell.total for cell in pair)]
    worse = [fisher_greater(*one, *other) for one, other in counts]
    better = [fisher_greater(*other, *one) for one, other in counts]

    def proven(p_values: Sequence[float]) -> int:
        return sum(p <= level for p, level in zip(p_values, holm_levels(p_values, BROKEN), strict=True))

    broken = proven(worse)
    found = {CaseOutcome.BROKEN: broken, CaseOutcome.FIXED: proven(better)}
    found[CaseOutcome.UNSTABLE] = max(0, sum(p <= UNSTABLE for p in worse) - broken)
    return {outcome.value: count for outcome, count in found.items()}
