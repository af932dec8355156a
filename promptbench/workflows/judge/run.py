"""Run suites: prepare, call, judge, and promote what passes."""

import shlex
import subprocess
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptbench.core.clock import now
from promptbench.core.errors import Code, Diagnostics, EnvironmentFailure, Exit, InputError, NothingSelected, Severity
from promptbench.core.events import Listener, Notice
from promptbench.core.types import CacheMode, Json
from promptbench.core.words import number_of
from promptbench.engine.plan import Estimate, judge_estimates, round_sizes
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.prepare.red_first import check_red_first
from promptbench.engine.shards import Shard
from promptbench.gate.judge import Mode, Result
from promptbench.gate.power import PowerForecast
from promptbench.gateway import RateLimiter
from promptbench.project import SUITE_FILE, Project, input_error
from promptbench.report.model import Judgement, Promotion, RunReport
from promptbench.settings.settings import find_project
from promptbench.store.prompts import Store
from promptbench.store.runs import RunStore
from promptbench.suite.loader import load as load_suite
from promptbench.workflows.judge.affected_by import is_affected
from promptbench.workflows.judge.baseline import production_baseline
from promptbench.workflows.judge.batches import batched_models, check_batch
from promptbench.workflows.judge.budgets import (
    Spending,
    describe_continuation,
    describe_forecast,
    estimate_calls,
    forecast_power,
    maximum_calls,
)
from promptbench.workflows.judge.execute import JudgedRun, execute, looks_of, repeats_of
from promptbench.workflows.judge.looks import OPEN, champions_since_fix, look_notes
from promptbench.workflows.judge.proof import add_promotions, attach_proofs, by_prompt, check_promotable
from promptbench.workflows.judge.report import build

_BY_BATCH = "asked by batch: answers have the price of a batch, and no times"


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls that a run of one suite would make, by model, and their cost. Names are keys of `--json`."""

    suite: str
    prompt: str
    candidates: Sequence[str]
    champion: str | None
    cases: int
    questions: dict[str, int]  # The calls of the first round.
    most_questions: dict[str, int]  # All calls if every case fails and is tried again.
    gated: Sequence[str]
    expected: dict[str, Estimate]
    judges: dict[str, Estimate]  # The most calls to judges.
    batched: Sequence[str]  # The models and judges whose first round goes by batch.
    outlook: PowerForecast | None  # What the gate can detect; None if there is nothing to compare with.
    could_tell: Sequence[str]  # The forecast in words, with the cases and cost that a margin needs.


def plan(project: Project, selection: Selection, *, promote: bool = False, by_batch: bool = False) -> list[Plan]:
    """Return what `run` would do, by suite. Raise InputError for an error in a suite, and for what `run` refuses."""
    if selection.changed:
        selection, _ = select_changed(project, selection)
    plans = []
    with project.prompts() as store, project.recordings() as runs:
        prepared_suites, _ = project.assemble(selection, store=store, runs=runs)
        if promote:
            check_promotable(project, prepared_suites)
        if by_batch:
            check_batch(prepared_suites)
        for prepared in prepared_suites:
            forecast = forecast_power(prepared, runs)
            first, most = round_sizes(prepared, repeats_of(prepared)), maximum_calls(prepared)
            judges = estimate_calls(project, prepared, count=judge_estimates)
            sizes = {**{name: it.calls for name, it in judges.items()}, **first}
            batched = batched_models(project, prepared, sizes) if by_batch else {}
            estimates = estimate_calls(project, prepared, batched.values())
            plans.append(
                Plan(
                    suite=prepared.suite.name,
                    prompt=prepared.prompt_name,
                    candidates=[item.label for item in prepared.candidates],
                    champion=prepared.champion.label if prepared.champion else None,
                    cases=len(prepared.cases),
                    questions=first,
                    most_questions=most,
                    gated=[model.name for model in prepared.models if model.gated],
                    expected=estimates,
                    judges=estimate_calls(project, prepared, batched.values(), judge_estimates) if batched else judges,
                    outlook=forecast,
                    batched=sorted(batched),
                    could_tell=list(describe_forecast(prepared, forecast, first, most, estimates)),
                )
            )
    return plans


def parse_shard(text: str | None) -> Shard | None:
    """Parse a shard such as `3/10`. Raise InputError if it is invalid."""
    return Shard.parse(text) if text else None


def run(
    project: Project,
    selection: Selection,
    *,
    promote: Callable[[Store, RunStore, Sequence[JudgedRun]], Promotion] | None = None,
    evidence: bool = False,
    spending: Spending | None = None,
    cache: CacheMode = CacheMode.OFF,
    allow_no_keys: bool = False,
    blame: bool = False,
    by_batch: bool = False,
    wait: bool = True,
    listen: Listener = lambda _: None,
) -> list[RunReport]:
    """Run the selected suites and judge them. If the selection is of changes, all logged answers must fail.

    Args:
        promote: moves `production`. It is called for each prompt that passes in all suites that test it.
        evidence: put the proof into the reports.
        cache: with answers from the cache there is no PASS and no FAIL.
        blame: call steps again where it is unknown which one of a chain broke a case; the verdict does not change.
        allow_no_keys: report a suite whose keys are missing without a verdict, instead of raising.
        by_batch: ask models by batch where their provider has a batch API.
        wait: False to end when the batches are sent, and to continue when called again.

    Raises:
        InputError: before any call, if a suite has an error, or `promote` is given and could not be allowed.
        EnvironmentFailure: a key is missing, or batches are not waited for.
        Interrupted: the user stops the run.
    """
    red = selection.changed
    if selection.changed:
        selection, which = select_changed(project, selection)
        listen(Notice(which))
    with project.prompts() as store, project.runs() as runs:
        prepared_suites, found = _prepare(project, selection, store, runs, red=red, allow_no_keys=allow_no_keys)
        if promote:
            check_promotable(project, prepared_suites)
        if by_batch:
            check_batch(prepared_suites, wait=wait)
        shard = selection.shard or Shard(1, 1)
        spending = (spending or Spending()).part(shard)
        concurrency = shard.share_of_calls(project.settings.values.concurrency, "concurrency")
        spending.check(project, [prepared for prepared in prepared_suites if not prepared.absent])
        budget = spending.budget()
        limiters: dict[str, RateLimiter] = {}
        for item in (item for item in found.warnings if item.code is Code.NOT_JUDGED):
            listen(Notice(f"{item.location}: {item.message}"))
        # These are reported with their suite.
        elsewhere = (Code.MISSING_CREDENTIAL, Code.SKIPPED, Code.NOT_JUDGED)
        notes = [f"{item.location}: {item.message}" for item in found.warnings if item.code not in elsewhere]
        judged: list[JudgedRun] = []
        reports: list[RunReport] = []
        for prepared in prepared_suites:
            command, selected = _command(project, selection, prepared, cache, blame=blame, by_batch=by_batch)
            if prepared.absent:
                reports.append(_report_without_keys(project, prepared, command, notes))
                notes = []
                continue
            before = production_baseline(prepared, project.shown(prepared.suite.path), store, runs, now())
            champions = champions_since_fix(store, prepared)
            done = execute(
                project,
                prepared,
                runs,
                listen,
                command=command,
                selection=selected,
                cache=cache,
                budgets=spending.budgets(budget, prepared),
                limiters=limiters,
                concurrency=concurrency,
                earlier=before,
                blame=blame,
                champions=champions,
                by_batch=by_batch,
                wait=wait,
            )
            judged.append(done)
            looks = looks_of(prepared, runs, done.info, champions)
            notes += [_BY_BATCH] if by_batch else []
            notes += look_notes(looks)
            more = looks.continuation(done.table) if done.verdict.result.value in OPEN else {}
            notes += describe_continuation(more, estimate_calls(project, prepared), command) if more else ()
            notes += before.renamed(runs.model_aliases().names(done.info.id)) if before else ()
            reports.append(build(runs, done, notes))
            notes = []
        # Without a verdict of every suite there is no proof.
        unproven = {prepared.prompt_name for prepared in prepared_suites if prepared.absent}
        judged = [part for part in judged if part.prepared.prompt_name not in unproven]
        if evidence and selection.shard is None:
            reports = attach_proofs(project, runs, judged, reports)
        for prompt, parts in by_prompt(judged).items() if promote else ():
            if promote and all(part.verdict.result is Result.PASS for part in parts) and _is_new(parts):
                last = max(index for index, report in enumerate(reports) if report.prompt == prompt)
                reports[last] = replace(reports[last], promotion=promote(store, runs, parts))
        return reports if promote else add_promotions(project, store, runs, judged, reports)


def _prepare(
    project: Project, selection: Selection, store: Store, runs: RunStore, *, red: bool, allow_no_keys: bool
) -> tuple[list[PreparedSuite], Diagnostics]:
    prepared_suites, found = project.assemble(selection, store=store, runs=runs, without_keys=True)
    without_keys = [prepared for prepared in prepared_suites if prepared.absent]
    if red or without_keys:
        found = check_red_first(prepared_suites, found, runs.calls().find)
        if found.errors:
            raise input_error(found)
    if without_keys and not allow_no_keys:
        raise EnvironmentFailure(
            f"NO VERDICT: {_missing_keys(without_keys)}, so no call was made; the files are valid",
            hint="where there can be no keys, as on a fork's pull request, --allow-no-keys exits 0",
            # Where the models are named whose keys are missing.
            diagnostics=[
                replace(item, severity=Severity.ERROR) for item in found if item.code is Code.MISSING_CREDENTIAL
            ],
        )
    return prepared_suites, found


def _missing_keys(prepared_suites: Sequence[PreparedSuite]) -> str:
    variables = sorted({variable for prepared in prepared_suites for variable in prepared.absent.values()})
    return f"{' and '.join(variables)} {'is' if len(variables) == 1 else 'are'} not set"


def _report_without_keys(project: Project, prepared: PreparedSuite, command: str, notes: Sequence[str]) -> RunReport:
    logged, champion = len(prepared.cases.with_log), prepared.champion
    red = f", and the logged answers of {number_of(logged, 'case')} fail as they must" if logged else ""
    sentence = f"NO VERDICT: not called, because {_missing_keys([prepared])}; the files are valid{red}"
    judgements = [
        Judgement(
            candidate=candidate.label,
            candidate_hash=candidate.hash,
            champion=champion.label if champion else None,
            champion_hash=champion.hash if champion else None,
            mode="unasked",
            result=Result.NO_VERDICT.value,
            sentence=sentence,
            counts={},
            mid_p=None,
        )
        for candidate in prepared.candidates
    ]
    return RunReport(
        run="",
        suite=prepared.suite.name,
        path=project.shown(prepared.suite.path),
        prompt=prepared.prompt_name,
        started=now(),
        result=Result.NO_VERDICT.value,
        sentence=sentence,
        exit=Exit.YES,
        cases=len(prepared.cases),
        judgements=judgements,
        rows=(),
        flips=(),
        log=None,
        comparisons=(),
        notes=notes,
        reproduce=command,
    )


def _is_new(parts: Sequence[JudgedRun]) -> bool:
    """Return False if the candidate is in production. Raise InputError if the suites chose different candidates."""
    if len({part.verdict.candidate for part in parts}) > 1:
        raise InputError(
            "the suites passed with different candidates of the same prompt", hint="name one: --prompt FILE"
        )
    return parts[0].verdict.mode is not Mode.SAME


def _command(
    project: Project, selection: Selection, prepared: PreparedSuite, cache: CacheMode, *, blame: bool, by_batch: bool
) -> tuple[str, dict[str, list[str]]]:
    """Return the command that repeats the run of a suite, and what it selects by flag."""
    selected = {"prompt": [project.shown(path) for path in selection.prompts], **selection.flags}
    suite = prepared.suite
    words = ["promptbench", "run", project.shown(suite.folder if suite.path.name == SUITE_FILE else suite.path)]
    for flag, values in selected.items():
        for value in values:
            words += [f"--{flag}", value]
    words += [] if cache is CacheMode.OFF else ["--cache", cache.value]
    words += ["--blame"] if blame else []
    words += ["--batch"] if by_batch else []
    words += [] if prepared.shard is None else ["--shard", str(prepared.shard)]
    return shlex.join(words), selected


# Variables in which CI systems name the branch that a change will be merged into.
_TARGETS = (
    "GITHUB_BASE_REF",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
    "SYSTEM_PULLREQUEST_TARGETBRANCH",
    "BITBUCKET_PR_DESTINATION_BRANCH",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
    "CHANGE_TARGET",
)
_MAIN = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_SECONDS = 120


def select_changed(project: Project, selection: Selection) -> tuple[Selection, str]:
    """Return the selection of the suites that a change affects, and a sentence about that.

    Raises:
        NothingSelected: there are none.
        InputError: git does not know what has changed.
    """
    settings = project.settings
    found = _git(settings.root, "rev-parse", "--show-toplevel")
    if found.returncode:
        reason = next(iter(found.stderr.strip().splitlines()), "no repository").removeprefix("fatal: ")
        raise InputError(
            f"--changed needs git, which reports in {settings.root}: {reason}",
            hint="run without --changed to judge all suites",
        )
    top = Path(found.stdout.rstrip("\n")).resolve()
    base, name = _base(top, project.environ, selection.since)
    since, listed = f"{base[:9]} ({name})", ""
    for words in (
        ("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", base, "--"),
        ("ls-files", "--others", "--exclude-standard", "-z"),
    ):
        done = _git(top, *words)
        if done.returncode:
            raise EnvironmentFailure(f"git {words[0]} failed: {done.stderr.strip() or done.returncode}")
        listed += done.stdout
    files = {(top / file).resolve() for file in listed.split("\0") if file}
    everything = _settings_changed(top, base, settings.root, files, settings.values.prices)
    suites, mirror, affected = project.suite_files(selection.paths), (settings.store / "text").resolve(), []
    for file in suites:
        # A suite that cannot be read may use anything, and its errors are to be reported.
        suite = None if everything else load_suite(file, project.shown(file), Diagnostics())
        if suite is None or is_affected(suite, files, mirror):
            affected.append(file)
    if not affected:
        raise NothingSelected(
            f"no suite is affected by changes since {since}",
            hint="run without --changed to judge all suites, or name another commit with --changed-since",
        )
    names = ", ".join(project.shown(file.parent) for file in affected)
    why = "the settings have changed" if everything else f"changed: {names}"
    rest = len(suites) - len(affected)
    others = f"; {rest} other {'suite is' if rest == 1 else 'suites are'} not judged" if rest else ""
    return replace(selection, paths=tuple(affected)), f"since {since} {why}{others}"


def _settings_changed(top: Path, base: str, root: Path, files: set[Path], prices: str | None) -> bool:
    if prices is not None and (root / prices).resolve() in files:
        return True
    file = find_project(root)
    if file is None or file.resolve() not in files:
        return False
    before = _git(top, "show", f"{base}:{file.resolve().relative_to(top).as_posix()}")
    return bool(before.returncode) or _settings(before.stdout, file) != _settings(
        file.read_text(encoding="utf-8-sig"), file
    )


def _settings(text: str, file: Path) -> Json:
    """Parse a settings file; of a pyproject.toml only our table. Return None if it is invalid."""
    try:
        data: Any = tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    if file.name != "pyproject.toml":
        return data
    tool = data.get("tool")
    return tool.get("promptbench") if isinstance(tool, dict) else None


def _base(top: Path, environ: Mapping[str, str], ref: str | None) -> tuple[str, str]:
    """Return the commit to compare with, and the name by which it was found: `ref`, else the branch to merge into."""
    if not _is_commit(top, "HEAD"):
        raise InputError("this git repository has no commit", hint="run without --changed")
    targets = (environ.get(variable, "").strip().removeprefix("refs/heads/") for variable in _TARGETS)
    name = ref or next((f"origin/{branch}" for branch in targets if branch), None)
    name = name or next((branch for branch in _MAIN if _is_commit(top, branch)), None)
    if name is None:
        raise InputError(
            "cannot determine the branch that this one will be merged into",
            hint="name it: --changed-since origin/BRANCH",
        )
    branch = name.removeprefix("origin/")
    hint = f"fetch it with its history: `git fetch origin {branch}`, or `fetch-depth: 0` for actions/checkout"
    if not _is_commit(top, name):
        raise InputError(f"commit '{name}' not found in this clone", hint=hint)
    base = _git(top, "merge-base", "--end-of-options", name, "HEAD").stdout.strip()
    if not base:
        raise InputError(f"the history of this clone is too short: no common commit with '{name}'", hint=hint)
    return base, name


def _is_commit(top: Path, name: str) -> bool:
    return not _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").returncode


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *words],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise EnvironmentFailure("git is not installed", hint="run without --changed") from None
    except subprocess.TimeoutExpired:
        raise EnvironmentFailure(f"git {words[0]} took more than {_SECONDS} s") from None
