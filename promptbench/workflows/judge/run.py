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
from promptbench.engine.prepare.prepared_suite import Bench
from promptbench.engine.prepare.red_first import check_red_first
from promptbench.gate.judge import Mode, Result
from promptbench.gate.power import PowerForecast
from promptbench.gateway import RateLimiter
from promptbench.project import Selection, Workspace, mistakes
from promptbench.report.model import RunReport
from promptbench.store.prompts import Store
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.baseline import production_baseline
from promptbench.workflows.judge.budgets import Spending, expected, expected_of_judges
from promptbench.workflows.judge.changed_suites import changed_only
from promptbench.workflows.judge.execute import ByGate, Finished, RunRequest, execute, repeats_of
from promptbench.workflows.judge.forecast import describe_forecast, forecast_power, maximum_calls
from promptbench.workflows.judge.merge_runs import as_shard
from promptbench.workflows.judge.missing_keys import keys_missing, unasked
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
    most_questions: dict[str, int]
    """All that may be asked: cases that fail are tried again."""
    gated: Sequence[str]
    expected: dict[str, Estimate]
    judges: dict[str, Estimate]
    """What the judges would be asked at the most."""
    outlook: PowerForecast | None
    """What the gate could see; None where there is nothing to compare with."""
    could_tell: Sequence[str]
    """The same in words, with what a margin would take."""


def plan(workspace: Workspace, selection: Selection) -> list[Plan]:
    """What `run` would do. Raises InputError when a suite has an error."""
    if selection.changed:
        selection, _ = changed_only(workspace, selection)
    with workspace.prompts() as store, workspace.recordings() as runs:
        benches, _ = workspace.assemble(selection, store=store, runs=runs)
        return [_plan(workspace, bench, runs) for bench in benches]


def _plan(workspace: Workspace, bench: Bench, runs: RunStore | None) -> Plan:
    outlook, questions = forecast_power(bench, runs), round_sizes(bench, repeats_of(bench))
    most = maximum_calls(bench)
    takes = expected(workspace, bench)
    return Plan(
        suite=bench.suite.name,
        prompt=bench.prompt_name,
        candidates=[item.label for item in bench.candidates],
        champion=bench.champion.label if bench.champion else None,
        cases=len(bench.cases),
        questions=questions,
        most_questions=most,
        gated=[model.name for model in bench.models if model.gated],
        expected=takes,
        judges=expected_of_judges(workspace, bench),
        outlook=outlook,
        could_tell=list(describe_forecast(bench, outlook, questions, most, takes)),
    )


def run(
    workspace: Workspace,
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
        selection, which = changed_only(workspace, selection)
        listen(Notice(which))
    with workspace.prompts() as store, workspace.runs() as runs:
        benches, found = _ready(workspace, selection, store, runs, red=red, allow_no_keys=allow_no_keys)
        if promote:
            check_whole(benches)
        spending = spending or Spending()
        spending.check(workspace, [bench for bench in benches if not bench.absent])
        budget = spending.budget()
        limiters: dict[str, RateLimiter] = {}
        # Which key is missing is said by the report on its suite.
        told_later = Code.MISSING_CREDENTIAL
        notes = [f"{item.location}: {item.message}" for item in found.warnings if item.code is not told_later]
        finished: list[tuple[Bench, Finished]] = []
        reports: list[RunReport] = []
        for bench in benches:
            asked = _asked(workspace, selection, bench, cache)
            if bench.absent:
                reports.append(unasked(workspace, bench, command=asked.command, notes=notes))
                notes = []
                continue
            budgets = spending.budgets(budget, bench)
            path = workspace.shown(bench.suite.path)
            before = production_baseline(bench, path, store, runs, now())
            trial = ByGate(bench, before)
            done = execute(workspace, bench, runs, listen, asked=asked, budgets=budgets, limiters=limiters, trial=trial)
            finished.append((bench, done))
            notes += multiple_comparison_notes(bench, runs)
            notes += before.renamed(runs.model_aliases().names(done.info.id)) if before else ()
            report = build(bench, runs, done, path=path, command=asked.command, notes=notes)
            report = as_shard(report, done) if bench.shard is not None else report
            reports.append(_with_machine_price(report, workspace, bench))
            notes = []
        # Without a verdict of every suite there is no proof.
        open_ = {bench.prompt_name for bench in benches if bench.absent}
        finished = [part for part in finished if part[0].prompt_name not in open_]
        if evidence and selection.shard is None:
            reports = proven(workspace, runs, finished, reports)
        for prompt in dict.fromkeys(bench.prompt_name for bench, _ in finished):
            parts = [part for part in finished if part[0].prompt_name == prompt]
            last = max(index for index, report in enumerate(reports) if report.prompt == prompt)
            if promote and all(part[1].verdict.result is Result.PASS for part in parts) and _moves(parts):
                moved = promote_run(workspace, store, runs, parts, who or Who())
                reports[last] = replace(reports[last], promotion=moved)
        return reports


def _ready(
    workspace: Workspace, selection: Selection, store: Store, runs: RunStore, *, red: bool, allow_no_keys: bool
) -> tuple[list[Bench], Diagnostics]:
    """What is to be run, with the warnings about it; red first where keys are missing too."""
    benches, found = workspace.assemble(selection, store=store, runs=runs, without_keys=True)
    without_keys = [bench for bench in benches if bench.absent]
    if red or without_keys:
        found = check_red_first(benches, found, runs.calls())
        if found.errors:
            raise mistakes(found)
    if without_keys and not allow_no_keys:
        raise keys_missing(without_keys, found)
    return benches, found


def _silent(event: RunEvent) -> None:
    return None


def _with_machine_price(report: RunReport, workspace: Workspace, bench: Bench) -> RunReport:
    """A cost that rests on an assumption says so."""
    hourly = workspace.settings.values.machine_price_per_hour
    if hourly is None or not any(model.local for model in bench.models):
        return report
    line = f"models on this machine cost ${hourly:.2f} an hour (machine-price-per-hour)"
    return replace(report, comparisons=[*report.comparisons, line])


def _moves(parts: Sequence[tuple[Bench, Finished]]) -> bool:
    candidates = {part[1].verdict.candidate for part in parts}
    if len(candidates) > 1:
        raise InputError(
            "the suites passed with different candidates of the same prompt", hint="name one: --prompt FILE"
        )
    return parts[0][1].verdict.mode is not Mode.SAME


def _asked(workspace: Workspace, selection: Selection, bench: Bench, cache: CacheMode) -> RunRequest:
    chosen = {
        "prompt": [workspace.shown(path) for path in selection.prompts],
        "model": list(selection.models),
        "case": list(selection.cases),
        "tag": list(selection.tags),
    }
    words = ["promptbench", "run", workspace.shown(bench.suite.folder)]
    for flag, values in chosen.items():
        for value in values:
            words += [f"--{flag}", value]
    if cache is not CacheMode.OFF:
        words += ["--cache", cache.value]
    if bench.shard is not None:
        words += ["--shard", bench.shard]
    return RunRequest(shlex.join(words), chosen, cache)
