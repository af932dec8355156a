"""Run suites: prepare, call, judge, and promote what passes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptbench.core.clock import now
from promptbench.core.diagnostics import Code, Diagnostics
from promptbench.core.errors import InputError
from promptbench.core.events import Event as RunEvent
from promptbench.core.events import Listener, Notice
from promptbench.core.types import CacheMode
from promptbench.engine.estimate import Estimate
from promptbench.engine.plan import round_sizes
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.prepare.red_first import check_red_first
from promptbench.gate.judge import Mode, Result
from promptbench.gate.power import PowerForecast
from promptbench.gateway import RateLimiter
from promptbench.project import Project, input_error
from promptbench.report.model import RunReport
from promptbench.store.prompts import Store
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.baseline import production_baseline
from promptbench.workflows.judge.budgets import Spending, expected, expected_of_judges
from promptbench.workflows.judge.changed_suites import select_changed
from promptbench.workflows.judge.execute import ByGate, Finished, RunRequest, execute, repeats_of
from promptbench.workflows.judge.forecast import describe_forecast, forecast_power, maximum_calls
from promptbench.workflows.judge.merge_runs import as_shard
from promptbench.workflows.judge.missing_keys import missing_keys_error, report_without_keys
from promptbench.workflows.judge.multiple_comparisons import multiple_comparison_notes
from promptbench.workflows.judge.report import build
from promptbench.workflows.store.labels import Who
from promptbench.workflows.store.promote import check_whole, promote_run, proven


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of one suite would ask: questions by model in the first round, and what they are expected to take."""

    suite: str
    prompt: str
    candidates: Sequence[str]
    champion: str | None
    cases: int
    questions: dict[str, int]
    most_questions: dict[str, int]  # All that may be asked: cases that fail are tried again.
    gated: Sequence[str]
    expected: dict[str, Estimate]
    judges: dict[str, Estimate]  # What the judges would be asked at the most.
    outlook: PowerForecast | None  # What the gate could see; None where there is nothing to compare with.
    could_tell: Sequence[str]  # The same in words, with what a margin would take.


def plan(project: Project, selection: Selection) -> list[Plan]:
    """What `run` would do. Raises InputError when a suite has an error."""
    if selection.changed:
        selection, _ = select_changed(project, selection)
    with project.prompts() as store, project.recordings() as runs:
        prepared_suites, _ = project.assemble(selection, store=store, runs=runs)
        return [_plan(project, prepared, runs) for prepared in prepared_suites]


def _plan(project: Project, prepared: PreparedSuite, runs: RunStore | None) -> Plan:
    outlook, questions = forecast_power(prepared, runs), round_sizes(prepared, repeats_of(prepared))
    most = maximum_calls(prepared)
    takes = expected(project, prepared)
    return Plan(
        suite=prepared.suite.name,
        prompt=prepared.prompt_name,
        candidates=[item.label for item in prepared.candidates],
        champion=prepared.champion.label if prepared.champion else None,
        cases=len(prepared.cases),
        questions=questions,
        most_questions=most,
        gated=[model.name for model in prepared.models if model.gated],
        expected=takes,
        judges=expected_of_judges(project, prepared),
        outlook=outlook,
        could_tell=list(describe_forecast(prepared, outlook, questions, most, takes)),
    )


def run(
    project: Project,
    selection: Selection,
    *,
    promote: bool = False,
    evidence: bool = False,
    spending: Spending | None = None,
    cache: CacheMode = CacheMode.OFF,
    allow_no_keys: bool = False,
    who: Who | None = None,
    listen: Listener | None = None,
) -> list[RunReport]:
    """Runs every suite selected and judges it; with `promote` moves `production` where the verdict is PASS.

    A prompt that several of the suites test is promoted when all of them pass. `evidence` puts the proof into the
    report. Where the `cache` gave an answer to be judged, there is no PASS and no FAIL. Of a selection of changes all
    logged answers must fail. With `allow_no_keys` a suite whose keys are missing is not asked, and reported without a
    verdict.

    Raises InputError before any call when a suite has an error, EnvironmentFailure when a key is missing; Interrupted
    when the user stops it.
    """
    listen = listen or _silent
    red = selection.changed
    if selection.changed:
        selection, which = select_changed(project, selection)
        listen(Notice(which))
    with project.prompts() as store, project.runs() as runs:
        prepared_suites, found = _ready(project, selection, store, runs, red=red, allow_no_keys=allow_no_keys)
        if promote:
            check_whole(prepared_suites)
        spending = spending or Spending()
        spending.check(project, [prepared for prepared in prepared_suites if not prepared.absent])
        budget = spending.budget()
        limiters: dict[str, RateLimiter] = {}
        # Which key is missing is said by the report on its suite.
        told_later = Code.MISSING_CREDENTIAL
        notes = [f"{item.location}: {item.message}" for item in found.warnings if item.code is not told_later]
        finished: list[tuple[PreparedSuite, Finished]] = []
        reports: list[RunReport] = []
        for prepared in prepared_suites:
            asked = _asked(project, selection, prepared, cache)
            if prepared.absent:
                reports.append(report_without_keys(project, prepared, command=asked.command, notes=notes))
                notes = []
                continue
            budgets = spending.budgets(budget, prepared)
            path = project.shown(prepared.suite.path)
            before = production_baseline(prepared, path, store, runs, now())
            trial = ByGate(prepared, before)
            done = execute(
                project, prepared, runs, listen, asked=asked, budgets=budgets, limiters=limiters, trial=trial
            )
            finished.append((prepared, done))
            notes += multiple_comparison_notes(prepared, runs)
            notes += before.renamed(runs.model_aliases().names(done.info.id)) if before else ()
            report = build(prepared, runs, done, path=path, command=asked.command, notes=notes)
            report = as_shard(report, done) if prepared.shard is not None else report
            reports.append(_with_machine_price(report, project, prepared))
            notes = []
        # Without a verdict of every suite there is no proof.
        open_ = {prepared.prompt_name for prepared in prepared_suites if prepared.absent}
        finished = [part for part in finished if part[0].prompt_name not in open_]
        if evidence and selection.shard is None:
            reports = proven(project, runs, finished, reports)
        for prompt in dict.fromkeys(prepared.prompt_name for prepared, _ in finished):
            parts = [part for part in finished if part[0].prompt_name == prompt]
            last = max(index for index, report in enumerate(reports) if report.prompt == prompt)
            if promote and all(part[1].verdict.result is Result.PASS for part in parts) and _moves(parts):
                moved = promote_run(project, store, runs, parts, who or Who())
                reports[last] = replace(reports[last], promotion=moved)
        return reports


def _ready(
    project: Project, selection: Selection, store: Store, runs: RunStore, *, red: bool, allow_no_keys: bool
) -> tuple[list[PreparedSuite], Diagnostics]:
    """What is to be run, with the warnings about it; red first where keys are missing too."""
    prepared_suites, found = project.assemble(selection, store=store, runs=runs, without_keys=True)
    without_keys = [prepared for prepared in prepared_suites if prepared.absent]
    if red or without_keys:
        found = check_red_first(prepared_suites, found, runs.calls().find)
        if found.errors:
            raise input_error(found)
    if without_keys and not allow_no_keys:
        raise missing_keys_error(without_keys, found)
    return prepared_suites, found


def _silent(event: RunEvent) -> None:
    return None


def _with_machine_price(report: RunReport, project: Project, prepared: PreparedSuite) -> RunReport:
    """A cost that rests on an assumption says so."""
    hourly = project.settings.values.machine_price_per_hour
    if hourly is None or not any(model.local for model in prepared.models):
        return report
    line = f"models on this machine cost ${hourly:.2f} an hour (machine-price-per-hour)"
    return replace(report, comparisons=[*report.comparisons, line])


def _moves(parts: Sequence[tuple[PreparedSuite, Finished]]) -> bool:
    candidates = {part[1].verdict.candidate for part in parts}
    if len(candidates) > 1:
        raise InputError(
            "the suites passed with different candidates of the same prompt", hint="name one: --prompt FILE"
        )
    return parts[0][1].verdict.mode is not Mode.SAME


def _asked(project: Project, selection: Selection, prepared: PreparedSuite, cache: CacheMode) -> RunRequest:
    chosen = {
        "prompt": [project.shown(path) for path in selection.prompts],
        "model": list(selection.models),
        "case": list(selection.cases),
        "tag": list(selection.tags),
    }
    words = ["promptbench", "run", project.shown(prepared.suite.folder)]
    for flag, values in chosen.items():
        for value in values:
            words += [f"--{flag}", value]
    if cache is not CacheMode.OFF:
        words += ["--cache", cache.value]
    if prepared.shard is not None:
        words += ["--shard", prepared.shard]
    return RunRequest(shlex.join(words), chosen, cache)
