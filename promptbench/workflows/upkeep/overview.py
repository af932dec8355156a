"""The state of a project at a glance: what is in production and why, the suites' verdicts, and what needs attention."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from promptbench.core.call_filter import CallFilter
from promptbench.core.errors import NothingSelected
from promptbench.core.words import number_of
from promptbench.project import PRODUCTION, Project
from promptbench.store.run_grid import RunVerdict
from promptbench.store.runs import RunInfo, RunStore
from promptbench.workflows.judge.shutdowns import known_shutdowns
from promptbench.workflows.logs.failures import find_failures

_MOST_RUNS = 12
_MOST_CLUSTERS = 5
_SOON = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class PromptState:
    """A prompt of the store. `version` is None if nothing is in production, `about` the event that last moved it."""

    prompt: str
    versions: int
    version: int | None
    since: str
    about: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class SuiteState:
    """A suite with its newest runs, the newest first."""

    suite: str
    runs: Sequence[RunVerdict]


@dataclass(frozen=True, slots=True)
class Overview:
    """The prompts, the suites with runs, and the paths of suites that were never run."""

    prompts: Sequence[PromptState]
    suites: Sequence[SuiteState]
    not_run: Sequence[str]


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that needs attention: its kind, one sentence, and what it is about (a run, or a suite and a case)."""

    kind: str
    text: str
    run: str = ""
    suite: str = ""
    case: str = ""


def overview(project: Project) -> Overview:
    """Return the state of a project, from the stores and the names of files alone."""
    with project.prompts() as store:
        prompts = []
        for name in store.prompts():
            events = [event for event in store.history(name) if event.label in (PRODUCTION, None) and not event.merged]
            held, last = store.labels(name).get(PRODUCTION), events[-1] if events else None
            prompts.append(
                PromptState(
                    prompt=name,
                    versions=len(store.versions(name)),
                    version=held.number if held else None,
                    since=last.at if last else "",
                    about=last.summary or last.kind if last else "",
                    evidence=last.evidence if last else None,
                )
            )
    suites: list[SuiteState] = []
    paths: set[str] = set()
    with project.recordings() as runs:
        for suite in runs.suites() if runs else ():
            assert runs is not None
            newest = runs.grid().verdicts(suite, _MOST_RUNS)
            suites.append(SuiteState(suite, newest))
            paths.add(str(runs.run(newest[0].run).facts.get("path")))
    try:
        files = [project.shown(path) for path in project.suite_files([])]
    except NothingSelected:
        files = []
    return Overview(prompts, suites, [path for path in files if path not in paths])


def concerns(project: Project) -> Iterator[Concern]:
    """Yield what needs attention: failing calls, flaky cases, evidence that expires, models that are shut down."""
    try:
        clusters = [cluster for cluster in find_failures(project, None, CallFilter()) if cluster.example.logged]
        for cluster in clusters[:_MOST_CLUSTERS]:
            yield Concern("failing", f"{number_of(cluster.count, 'call')}: {cluster.example.why}")
    except NothingSelected:
        pass
    with project.recordings() as runs:
        for suite in runs.suites() if runs else ():
            assert runs is not None
            for item in runs.calibrations().flaky(suite):
                text = f"{item.case} passed {item.passes} of {item.tries} times with the same prompt on {item.model}"
                yield Concern("flaky", text, suite=suite, case=item.case)
            yield from _expiring(project, runs, suite)
    for warning in known_shutdowns(project):
        yield Concern("shutdown", warning)


def _expiring(project: Project, runs: RunStore, suite: str) -> Iterator[Concern]:
    """Yield the newest run of a suite if it proves a candidate that is not promoted, and soon will no more."""
    info: RunInfo = runs.run(runs.grid().verdicts(suite, 1)[0].run)
    if info.result != "PASS" or info.facts.get("partial") or info.facts["selection"].get("compared"):
        return
    with project.prompts() as store:
        held = store.labels(info.prompt).get(PRODUCTION) if info.prompt in store.prompts() else None
    if held and held.hash in {item.hash for item in info.variants if item.side == "candidate"}:
        return
    days = timedelta(days=float(info.facts["policy"].get("max_age", 7)))
    left = datetime.fromisoformat(info.started) + days - datetime.now(UTC)
    if timedelta() < left < _SOON:
        hours = number_of(int(left.total_seconds() // 3600), "hour")
        text = f"the proof of {suite} expires in {hours}: `promptbench promote {info.prompt} --run {info.id}`"
        yield Concern("expiring", text, run=info.id)
