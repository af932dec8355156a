"""Judge the production version against itself: which cases are flaky, and how often the gate errs because of them."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta

from promptbench.core.clock import today
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.events import Listener
from promptbench.core.protocols import OutcomeRow
from promptbench.core.types import Side
from promptbench.core.words import number_of
from promptbench.engine.prepare.case_terms import max_quarantined
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseOutcome
from promptbench.gate.false_alarms import CaseRate, false_alarms
from promptbench.gate.judge import Result
from promptbench.gate.trial import BROKEN, UNSTABLE
from promptbench.project import Project
from promptbench.report.document import Block, CodeBlock, Document, Report, Section, TableBlock, TableColumn, Text
from promptbench.settings.settings import actor
from promptbench.stats.exact import clopper_pearson, fisher_greater, holm_levels
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.budgets import Spending
from promptbench.workflows.judge.execute import case_infos, execute, policy_of
from promptbench.yaml.text import mapping_lines

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Share:
    """In how many of the drawn runs something was reported, with the exact 95 % interval of the share in [0, 1]."""

    count: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        share, low, high = (f"{value * 100:.1f} %" for value in (self.count / self.of, self.low, self.high))
        return f"{share} (95 %: {low} to {high})"


@dataclass(frozen=True, slots=True)
class FlakyCase:
    """A case that passed some tries and failed others; `low` and `high` are the exact 95 % bounds of its pass rate."""

    case: str
    passes: int
    tries: int
    low: float
    high: float
    critical: bool
    quarantined: bool


@dataclass(frozen=True, slots=True)
class CalibratedModel:
    """The result on one model, the flakiest case first.

    `broken`, `fixed` and `unstable` are the gate's false alarms in runs drawn with the observed rates; `halves` counts
    cases under the same names, for the two sides as they were run.
    """

    model: str
    cases: int
    flaky: Sequence[FlakyCase]
    broken: Share
    fixed: Share
    unstable: Share
    halves: dict[str, int]


@dataclass(frozen=True, slots=True)
class CalibratedSuite:
    """The result of one suite. `run` is None if no model was called. `repeats` are the tries of each side.

    `steady` are models that always answer the same, or that use no prompt. `room` is how many more cases may be in
    quarantine.
    """

    suite: str
    path: str
    prompt: str
    run: str | None
    repeats: int
    models: Sequence[CalibratedModel]
    steady: Sequence[str]
    room: int
    owner: str
    review_by: str


def calibration_report(found: Sequence[CalibratedSuite]) -> Report:
    """Return the report on a calibration."""
    sections = [section for suite in found for section in _sections(suite)]
    models = [model for suite in found for model in suite.models]
    cases, flaky = sum(model.cases for model in models), sum(len(model.flaky) for model in models)
    verb = "is" if flaky == 1 else "are"
    verdict = f"{flaky} of {number_of(cases, 'case')} {verb} flaky" if cases else "nothing to calibrate"
    return Report("calibrate", Document("", sections, verdict), lambda: {"suites": [asdict(suite) for suite in found]})


def _sections(suite: CalibratedSuite) -> Iterator[Section]:
    tries = f", {suite.repeats} {'try' if suite.repeats == 1 else 'tries'} for each side" if suite.run else ""
    steady = [
        Text(f"nothing to calibrate on {name}: it always answers the same, or uses no prompt") for name in suite.steady
    ]
    yield Section(
        steady or [Text(f"run {suite.run}", "quiet")], title=f"{suite.suite}: {suite.prompt} against itself{tries}"
    )
    for model in suite.models:
        verb = "is" if len(model.flaky) == 1 else "are"
        flaky = (
            f"{len(model.flaky)} of {number_of(model.cases, 'case')} {verb} flaky" if model.flaky else "no flaky case"
        )
        yield Section(list(_model_blocks(suite, model)), title=f"on {model.model}: {flaky}")


def _model_blocks(suite: CalibratedSuite, model: CalibratedModel) -> Iterator[Block]:
    if model.flaky:
        yield TableBlock(
            [
                TableColumn("case", numeric=False),
                TableColumn("passes"),
                TableColumn("95 % interval"),
                TableColumn("", numeric=False, drop=1),
            ],
            [
                (
                    item.case,
                    f"{item.passes} of {item.tries} tries",
                    f"{item.low * 100:.0f} % to {item.high * 100:.0f} %",
                    ", ".join(mark for mark in ("critical", "quarantined") if getattr(item, mark)),
                )
                for item in model.flaky[:_SHOWN]
            ],
            label="Flaky cases",
            note=f"and {len(model.flaky) - _SHOWN} more" if len(model.flaky) > _SHOWN else "",
        )
    shares = {"a case is broken": model.broken, "one is fixed": model.fixed, "one is unstable": model.unstable}
    alarms = ", ".join(f"{what} in {share}" for what, share in shares.items())
    runs = f"{model.broken.of:,} runs drawn with these rates in which nothing changes"
    yield Text(f"false alarms of the gate, in {runs}: {alarms}")
    halves = ", ".join(f"{count} {word}" for word, count in model.halves.items())
    yield Text(f"the two sides as they were, judged as production and candidate: {halves}")
    first = next((item for item in model.flaky if not (item.critical or item.quarantined)), None)
    if first is not None and suite.room > 0:
        yield Text(f"to quarantine the flakiest until {suite.review_by}, add to '{first.case}':")
        reason = f"passes {first.passes} of {first.tries} tries of {suite.prompt} on {model.model}"
        fields = {"owner": suite.owner, "reason": reason, "review by": suite.review_by}
        yield CodeBlock("\n".join(["quarantine:", *mapping_lines(fields, 2)]), indent=4)


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
) -> list[CalibratedSuite]:
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
        return suites


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


def _sides(rows: Iterable[OutcomeRow], repeats: int) -> AttemptMatrix:
    # Alternate tries go to each side, in the order of the calls, so that a bad hour affects both alike.
    sides = (
        (_OTHER if repeat % 2 else _ONE, model, case, repeat // 2, *what)
        for _, model, case, repeat, *what in rows
        if repeat < 2 * repeats
    )
    return AttemptMatrix.of(sides, {})


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
