"""The public names: wires the parts together, and decides nothing."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptbench.api.agreeing import Agreed, agree, write_sheet
from promptbench.api.authoring import CaseAuthor, Draft, Field, as_data
from promptbench.api.calibrating import calibrate
from promptbench.api.capturing import CaptureReport, capture, read_wanted
from promptbench.api.changes import select_changed
from promptbench.api.checking import check_text
from promptbench.api.chosen import chosen_by_id, chosen_in_log, chosen_of_clusters, replayed_calls
from promptbench.api.comparing import ComparisonPlan, Matchup, compare, plan_comparison
from promptbench.api.datasette import datasette_metadata
from promptbench.api.earlier import earlier_answers
from promptbench.api.explaining import (
    CheckPage,
    DiagnosticPage,
    Term,
    check_page,
    check_pages,
    diagnostic_page,
    diagnostic_pages,
    explain,
    terms,
)
from promptbench.api.failing import Cluster, failures
from promptbench.api.fetching import Fetched, fetch
from promptbench.api.health import Health, doctor
from promptbench.api.importing import Imported, ImportOptions, ImportState, NothingImported, import_logs, unmapped
from promptbench.api.keyless import missing_keys_error, report_without_keys
from promptbench.api.measured_logs import measured_in_logs
from promptbench.api.measuring import (
    Measured,
    MeasureOptions,
    MeasurePlan,
    load_of,
    measure,
    measurements,
    plan_measurement,
    show_measurement,
)
from promptbench.api.merging import Contest, Merged, merge
from promptbench.api.mutating import mutate
from promptbench.api.outlook import most_questions, outlook_of, told
from promptbench.api.past import judge, rescore
from promptbench.api.promotion import (
    Who,
    check_whole,
    described,
    fixes_undone,
    force,
    promote_evidence,
    promote_from,
    promote_recorded,
    promote_run,
    proven,
    set_label,
)
from promptbench.api.pruning import Pruned, prune
from promptbench.api.records import RunDetails, list_runs, run_history, show_run
from promptbench.api.reddening import red_first
from promptbench.api.repairing import repairs
from promptbench.api.replaying import Price, replay, replay_answers
from promptbench.api.reporting import build
from promptbench.api.running import Asked, ByGate, Finished, execute, repeats_of
from promptbench.api.schema import report_schema, suite_schema
from promptbench.api.sharding import as_shard, durations, merge_runs
from promptbench.api.sheets import SheetImported, SheetWritten, export_sheet, import_sheet
from promptbench.api.spending import Spending, expected, expected_of_judges
from promptbench.api.starting import Start, init, name_for, read_fields
from promptbench.api.tries import many_tries
from promptbench.api.trying import OpenSuite, Purse, Question, check_answer
from promptbench.api.workspace import PRODUCTION, Project, input_error
from promptbench.core.clock import now
from promptbench.core.diagnostics import Code, Diagnostics
from promptbench.core.errors import InputError
from promptbench.core.events import Event as RunEvent
from promptbench.core.events import Listener, Notice
from promptbench.core.types import CacheMode
from promptbench.engine.estimate import Estimate
from promptbench.engine.plan import round_sizes
from promptbench.engine.shards import Shard
from promptbench.gate.evidence import rejudge
from promptbench.gate.judge import Mode, Result
from promptbench.gate.power import Outlook
from promptbench.gateway import Pacer
from promptbench.project.bench import PreparedSuite
from promptbench.project.evaluate import Evaluation
from promptbench.project.options import Selection
from promptbench.prompts.parser import prompt_name
from promptbench.report.calibration import CalibrationReport
from promptbench.report.measurement import MeasurementReport
from promptbench.report.model import Promotion, RunReport
from promptbench.report.mutation import MutationReport
from promptbench.report.repairs import RepairsReport
from promptbench.report.replay import ReplayReport, RescoreReport
from promptbench.settings.settings import actor as actor_of
from promptbench.store.prompts import Event, Store, Version
from promptbench.store.run_list import RunFigures, RunSummary
from promptbench.store.runs import RunStore

__all__ = [
    "PRODUCTION",
    "Agreed",
    "CacheMode",
    "CalibrationReport",
    "CaptureReport",
    "CaseAuthor",
    "CheckPage",
    "Cluster",
    "ComparisonPlan",
    "Contest",
    "DiagnosticPage",
    "Draft",
    "Estimate",
    "Evaluation",
    "Event",
    "Fetched",
    "Field",
    "Health",
    "ImportOptions",
    "ImportState",
    "Imported",
    "Matchup",
    "MeasureOptions",
    "MeasurePlan",
    "Measured",
    "MeasurementReport",
    "Merged",
    "MutationReport",
    "NothingImported",
    "OpenSuite",
    "Plan",
    "Price",
    "Project",
    "Promotion",
    "Pruned",
    "Purse",
    "Question",
    "RepairsReport",
    "ReplayReport",
    "RescoreReport",
    "RunDetails",
    "RunFigures",
    "RunReport",
    "RunSummary",
    "Selection",
    "Shard",
    "SheetImported",
    "SheetWritten",
    "Spending",
    "Start",
    "Store",
    "Term",
    "Version",
    "Who",
    "adopt",
    "agree",
    "as_data",
    "calibrate",
    "capture",
    "check_answer",
    "check_page",
    "check_pages",
    "check_text",
    "chosen_by_id",
    "chosen_in_log",
    "chosen_of_clusters",
    "compare",
    "datasette_metadata",
    "diagnostic_page",
    "diagnostic_pages",
    "doctor",
    "durations",
    "explain",
    "export_sheet",
    "failures",
    "fetch",
    "force",
    "import_logs",
    "import_sheet",
    "init",
    "judge",
    "list_runs",
    "load_of",
    "measure",
    "measured_in_logs",
    "measurements",
    "merge",
    "merge_runs",
    "mutate",
    "name_for",
    "plan",
    "plan_comparison",
    "plan_measurement",
    "promote",
    "prune",
    "read_fields",
    "read_wanted",
    "rejudge",
    "repairs",
    "replay",
    "replay_answers",
    "replayed_calls",
    "report_schema",
    "rescore",
    "retire",
    "rollback",
    "run",
    "run_history",
    "set_label",
    "show_measurement",
    "show_run",
    "suite_schema",
    "terms",
    "unmapped",
    "validate",
    "write_sheet",
]


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
    outlook: Outlook | None
    """What the gate could see; None where there is nothing to compare with."""
    could_tell: Sequence[str]
    """The same in words, with what a margin would take."""


def validate(project: Project, selection: Selection, *, red: bool = False) -> Diagnostics:
    """Looks at suites, prompts, checks, models and logs without a call; the warnings, if there is nothing worse.

    With `red` a logged call that passes its checks is an error too, imported answers of captured cases must fail as
    well, and checks that no logged answer fails are told. Raises InputError with every diagnostic when there is an
    error.
    """
    with project.prompts() as store, project.recordings() as runs:
        prepared_suites, found = project.assemble(selection, store=store, runs=runs)
        if red:
            found = red_first(prepared_suites, found, runs.calls() if runs else None)
    if red and found.errors:
        raise input_error(found)
    return found


def plan(project: Project, selection: Selection) -> list[Plan]:
    """What `run` would do. Raises InputError when a suite has an error."""
    if selection.changed:
        selection, _ = select_changed(project, selection)
    with project.prompts() as store, project.recordings() as runs:
        prepared_suites, _ = project.assemble(selection, store=store, runs=runs)
        return [_plan(project, prepared, runs) for prepared in prepared_suites]


def _plan(project: Project, prepared: PreparedSuite, runs: RunStore | None) -> Plan:
    outlook, questions = outlook_of(prepared, runs), round_sizes(prepared, repeats_of(prepared))
    most = most_questions(prepared)
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
        could_tell=list(told(prepared, outlook, questions, most, takes)),
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
        pacers: dict[str, Pacer] = {}
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
            before = earlier_answers(prepared, path, store, runs, now())
            trial = ByGate(prepared, before)
            done = execute(project, prepared, runs, listen, asked=asked, budgets=budgets, pacers=pacers, trial=trial)
            finished.append((prepared, done))
            notes += many_tries(prepared, runs)
            notes += before.renamed(runs.returned().names(done.info.id)) if before else ()
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
        found = red_first(prepared_suites, found, runs.calls())
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


def _asked(project: Project, selection: Selection, prepared: PreparedSuite, cache: CacheMode) -> Asked:
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
    return Asked(shlex.join(words), chosen, cache)


def adopt(project: Project, path: Path, *, label: str, who: Who) -> Promotion:
    """Puts the prompt that is in use today into the store, without a verdict; only while the label is unset.

    Raises InputError when the label is set, the reason is missing or the file is no prompt.
    """
    try:
        source = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    actor = actor_of(project.settings, project.environ, who.actor)
    with project.prompts() as store:
        event = store.adopt(prompt_name(path.name), source, label=label, actor=actor, reason=who.reason or "")
        return described(store, event)


def promote(
    project: Project,
    prompt: str,
    *,
    run: str | None = None,
    evidence: Path | None = None,
    source: str | None = None,
    label: str,
    who: Who,
) -> Promotion:
    """Moves a label on proof: a run on record (the newest that may prove something by default), a file of evidence, or
    the evidence of the version that `source`, another label, holds.

    Raises NotProven when the verdict is not PASS, ConflictError when anything has changed since.
    """
    with project.prompts() as store, project.runs() as runs:
        if evidence is not None:
            return promote_evidence(project, store, runs, prompt, evidence, label, who)
        if source is not None:
            return promote_from(project, store, runs, f"{prompt}@{source}", label, who)
        return promote_recorded(project, store, runs, prompt, run or runs.latest(prompt), label, who)


def rollback(project: Project, prompt: str, *, to: str | None, label: str, who: Who) -> Promotion:
    """Moves a label back to a version that held it before. Raises InputError when there is none, or no reason."""
    actor = actor_of(project.settings, project.environ, who.actor)
    with project.prompts() as store:
        event = store.rollback(prompt, to=to, label=label, actor=actor, reason=who.reason or "")
        return replace(described(store, event), returning=fixes_undone(store, event))


def retire(project: Project, prompt: str, *, label: str | None, who: Who) -> None:
    """Takes a label, or all labels, off a prompt; its versions and history stay. Raises InputError without a reason."""
    actor = actor_of(project.settings, project.environ, who.actor)
    with project.prompts() as store:
        store.retire(prompt, label=label, actor=actor, reason=who.reason or "")
