"""Comparison of two runs, versions or models: is the second one worse? Recorded answers are used if there are any."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.events import Listener
from promptbench.core.types import Json, Side
from promptbench.engine.estimate import Estimate
from promptbench.engine.prepare.options import ComparedVersions, Selection, StoredPrompt
from promptbench.engine.prepare.prepared_suite import PreparedModel, PreparedSuite
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.policy import ComparisonLabels, Policy
from promptbench.project import PRODUCTION, Project, input_error
from promptbench.prompts.parser import load as load_prompt
from promptbench.report.model import RunReport
from promptbench.store.prompts import Store
from promptbench.store.runs import RunInfo, RunStore
from promptbench.workflows.judge.budgets import Spending, expected
from promptbench.workflows.judge.case_results import expected_of
from promptbench.workflows.judge.comparison_sides import End, Pair, Pairing
from promptbench.workflows.judge.execute import RunRequest, case_infos, execute, policy_of
from promptbench.workflows.judge.report import ComparedSide, build_comparison

# A run's name, or the start of it.
_RUN = re.compile(r"\d{4,8}|\d{8}-\d{1,6}(-[0-9a-f]{1,4})?|latest")
_USAGE = "`compare RUN RUN`, `compare NAME@N NAME@N [SUITE]` or `compare SUITE --model A --model B`"


@dataclass(frozen=True, slots=True)
class Matchup:
    """What to compare: `A B`, `A B SUITE`, or with two models one suite, one run or nothing. A is the earlier one.

    `prompt` is the file to run on both models, instead of the prompt in production.
    """

    words: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    prompt: Path | None = None
    cases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """The calls, tokens and cost of a comparison's first round, by model."""

    suite: str
    candidate: str
    champion: str
    cases: int
    expected: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class _Version:
    """A prompt version to compare; `stored` if it is from the store, not from a file."""

    prompt: str
    label: str
    source: str
    hash: str
    stored: bool = False


@dataclass(frozen=True, slots=True)
class _Question:
    """A comparison whose sides both run now."""

    prepared: PreparedSuite
    pairing: Pairing
    labels: tuple[str, str]
    asked: RunRequest


def compare(
    project: Project,
    matchup: Matchup,
    *,
    spending: Spending | None = None,
    listen: Listener = lambda _: None,
) -> RunReport:
    """Judge if B is worse than A, case by case, with the statistics of the gate.

    Two runs, or two versions without a suite, are compared by their recorded answers, without a call; two versions with
    a suite, and two models, run now, side by side. Raises InputError if the words are not understood or nothing is
    recorded for them, NothingSelected if no case can be compared.
    """
    with project.prompts() as store, project.runs() as runs:
        question = _question(project, store, runs, matchup)
        if question is not None:
            return _ask(project, runs, question, spending or Spending(), listen)
        return _recorded(store, runs, matchup)


def plan_comparison(project: Project, matchup: Matchup) -> ComparisonPlan | None:
    """Return what `compare` would call; None if it compares recorded answers."""
    with project.prompts() as store, project.recordings() as runs:
        question = _question(project, store, runs, matchup)
        if question is None:
            return None
        prepared, (champion, candidate) = question.prepared, question.labels
        takes = expected(project, prepared)
        return ComparisonPlan(prepared.suite.name, candidate, champion, len(prepared.cases), takes)


# -- both sides are asked now ------------------------------------------------------------------------------------------


def _question(project: Project, store: Store, runs: RunStore | None, matchup: Matchup) -> _Question | None:
    words, models = matchup.words, matchup.models
    if len(models) == 2 and len(words) <= 1:
        return None if words and _RUN.fullmatch(words[0]) else _models_question(project, store, runs, matchup)
    if len(words) not in (2, 3) or len(models) > 1 or matchup.prompt:
        raise InputError("compare needs two runs, two versions or two models", hint=_USAGE)
    if len(words) == 2:
        return None
    return _versions_question(project, store, runs, matchup)


def _versions_question(project: Project, store: Store, runs: RunStore | None, matchup: Matchup) -> _Question:
    champion, candidate = _two_versions(store, matchup)
    path = Path(matchup.words[2])
    compared = ComparedVersions(candidate.prompt, StoredPrompt(champion.label, champion.source), _stored(candidate))
    prepared = _prepared(project, store, runs, matchup, path, compared)
    pairs = [
        Pair(End(champion.hash, name, same), End(candidate.hash, name, same))
        for name, same in ((model.name, prepared.deterministic(model)) for model in prepared.models)
    ]
    versus = ComparisonLabels(champion.label, candidate.label)
    return _Question(
        prepared, _pairing(prepared, versus, pairs), (champion.label, candidate.label), _asked(prepared, matchup)
    )


def _models_question(project: Project, store: Store, runs: RunStore | None, matchup: Matchup) -> _Question:
    if matchup.models[0] == matchup.models[1]:
        raise InputError(f"{matchup.models[0]} is compared with itself", hint="name two models: --model A --model B")
    path = project.suite_file(Path(matchup.words[0])) if matchup.words else _only_suite(project)
    version = _asked_version(project, store, runs, path, matchup.prompt)
    prepared = _prepared(project, store, runs, matchup, path, ComparedVersions(version.prompt, None, _stored(version)))
    ends = {model.name: End(version.hash, model.name, prepared.deterministic(model)) for model in prepared.models}
    blind = [name for name in matchup.models if name not in ends]
    if blind:
        hint = "a run shows it next to the prompt: `promptbench run SUITE`"
        raise InputError(f"{blind[0]} uses no prompt, so a prompt cannot be compared on it", hint=hint)
    first, second = (ends[name] for name in matchup.models)
    labels = (f"{version.label} on {first.model}", f"{version.label} on {second.model}")
    versus = ComparisonLabels(f"on {first.model}", labels[1])
    return _Question(prepared, _pairing(prepared, versus, [Pair(first, second)]), labels, _asked(prepared, matchup))


def _only_suite(project: Project) -> Path:
    file, *others = project.suite_files(())
    if others:
        raise InputError("there are several suites", hint="name one: `promptbench compare SUITE --model A --model B`")
    return file


def _prepared(
    project: Project, store: Store, runs: RunStore | None, matchup: Matchup, path: Path, compared: ComparedVersions
) -> PreparedSuite:
    """Assemble the suite with these versions and only the models that use a prompt."""
    selection = Selection((project.suite_file(path),), (), matchup.models, matchup.cases, matchup.tags)
    [prepared], _ = project.assemble(selection, store=store, runs=runs, compared=compared)
    if not (models := _seeing(prepared)):
        raise InputError(f"no model of the suite '{prepared.suite.name}' uses a prompt", hint="name one: --model")
    return replace(prepared, models=models)


def _seeing(prepared: PreparedSuite) -> tuple[PreparedModel, ...]:
    return tuple(replace(model, gated=True) for model in prepared.models if model.uses_prompt)


def _pairing(prepared: PreparedSuite, versus: ComparisonLabels, pairs: Sequence[Pair]) -> Pairing:
    return Pairing(versus, pairs, case_infos(prepared), policy_of(prepared))


def _asked(prepared: PreparedSuite, matchup: Matchup) -> RunRequest:
    chosen = {"prompt": [], **{flag: list(values) for flag, values in _flags(matchup).items()}}
    return RunRequest(_command(matchup), {**chosen, "compared": [*matchup.words, *matchup.models]})


def _flags(matchup: Matchup) -> dict[str, Sequence[str]]:
    return {"model": matchup.models, "case": matchup.cases, "tag": matchup.tags}


def _command(matchup: Matchup) -> str:
    """Return the command that repeats the comparison."""
    words = ["promptbench", "compare", *matchup.words]
    for flag, values in _flags(matchup).items():
        for value in values:
            words += [f"--{flag}", value]
    if matchup.prompt:
        words += ["--prompt", matchup.prompt.as_posix()]
    return shlex.join(words)


def _ask(project: Project, runs: RunStore, question: _Question, spending: Spending, listen: Listener) -> RunReport:
    prepared, pairing = question.prepared, question.pairing
    spending.check(project, [prepared])
    budgets = spending.budgets(spending.budget(), prepared)
    done = execute(project, prepared, runs, listen, asked=question.asked, budgets=budgets, trial=pairing)
    sides = (ComparedSide(done.info, question.labels[0]), ComparedSide(done.info, question.labels[1]))
    joint = pairing.joint(done.table, done.table)
    command, expected = question.asked.command, partial(expected_of, prepared)
    return build_comparison(runs, pairing, sides, joint, done.verdict, command=command, left_out={}, expected=expected)


# -- what is on record -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Subject:
    """One recorded side: a version in a run, and the models to compare it on."""

    info: RunInfo
    variant: str
    label: str
    models: tuple[str, ...]


def _recorded(store: Store, runs: RunStore, matchup: Matchup) -> RunReport:
    if matchup.tags or matchup.prompt:
        flag = "--tag" if matchup.tags else "--prompt"
        raise InputError(f"{flag} selects calls, and this compares recorded answers", hint=_USAGE)
    first, second = _subjects(store, runs, matchup)
    return _judged(runs, first, second, matchup.cases, command=_command(matchup), again=_again(first, second))


def recorded_comparison(runs: RunStore, info: RunInfo) -> RunReport:
    """Return the report on a comparison that was run, from its recorded answers."""
    chosen, by_side = info.facts["selection"], {item.side: item for item in info.variants}
    second = _subject(info, by_side[Side.CANDIDATE].hash, by_side[Side.CANDIDATE].name)
    first = second
    if Side.CHAMPION in by_side:
        first = _subject(info, by_side[Side.CHAMPION].hash, by_side[Side.CHAMPION].name)
    else:
        first, second = (replace(second, models=(model,)) for model in chosen["model"])
    command = str(info.facts["command"])
    return _judged(runs, first, second, chosen["case"], command=command, again=command)


def _judged(
    runs: RunStore, first: _Subject, second: _Subject, wanted: Sequence[str], *, command: str, again: str
) -> RunReport:
    """Judge two recorded sides; `again` is the command that calls the models where too few tries are recorded."""
    pairs = _pairs(runs, first, second)
    cases, left_out = _cases(runs, first.info, second.info, wanted)
    policy = Policy.of(second.info.facts["policy"])
    champion, candidate = (_table(runs, item.info, policy) for item in (first, second))
    if missing := [case.name for case in cases if not _has_both(pairs, case.name, champion, candidate)]:
        cases = [case for case in cases if case.name not in set(missing)]
        left_out["not asked of both"] = missing
    if not cases:
        raise NothingSelected("no case was run on both sides, so nothing can be compared")
    pairing = Pairing(_named(first, second), pairs, cases, policy)
    joint = pairing.joint(champion, candidate)
    verdict = pairing.as_recorded(joint, again)
    one, other = (ComparedSide(side.info, _in_full(first, second, side)) for side in (first, second))
    report = build_comparison(runs, pairing, (one, other), joint, verdict, command=command, left_out=left_out)
    return replace(report, notes=[*_interrupted(first.info, second.info), *report.notes])


def _interrupted(*infos: RunInfo) -> Iterator[str]:
    for run, command in {info.id: info.facts["command"] for info in infos if info.finished is None}.items():
        yield f"run {run} is not finished; `{command}` resumes it"


def _subjects(store: Store, runs: RunStore, matchup: Matchup) -> tuple[_Subject, _Subject]:
    if len(matchup.words) == 1:
        both = _of_run(runs, matchup.words[0])
        first, second = (replace(both, models=_asked_on(both, [model])) for model in matchup.models)
        return first, second
    are_runs = [bool(_RUN.fullmatch(word)) for word in matchup.words]
    if all(are_runs):
        first, second = (_of_run(runs, word) for word in matchup.words)
        if (first.info.id, first.variant) == (second.info.id, second.variant):
            raise InputError(f"run {first.info.id} is compared with itself", hint="`promptbench runs list` has others")
    elif any(are_runs):
        raise InputError("a run and a version cannot be compared", hint="name two runs, or two versions")
    else:
        first, second = _of_versions(store, runs, matchup)
    only = list(matchup.models)
    return replace(first, models=_asked_on(first, only)), replace(second, models=_asked_on(second, only))


def _asked_on(subject: _Subject, only: Sequence[str]) -> tuple[str, ...]:
    for model in only:
        if model not in subject.models:
            known = ", ".join(subject.models)
            raise InputError(f"run {subject.info.id} did not call {model}", hint=f"it called {known}")
    return tuple(only) or subject.models


def _subject(info: RunInfo, variant: str, label: str) -> _Subject:
    models = tuple(str(model["model"]) for model in info.facts["models"] if model["uses_prompt"])
    return _Subject(info, variant, label.removesuffix(".prompt"), models)


def _of_run(runs: RunStore, name: str) -> _Subject:
    """Return the version that a run was about: its candidate, or the prompt in production if that was tested."""
    info = runs.run(name)
    if info.facts["selection"].get("replayed"):
        raise InputError(f"run {info.id} replayed logged calls and not the cases of a suite", hint="name another run")
    found = [item for item in info.variants if item.side == "candidate"] or list(info.variants)
    if len(found) != 1:
        names = ", ".join(item.name for item in found)
        raise InputError(f"run {info.id} is about several candidates: {names}", hint="compare versions: NAME@N NAME@M")
    return _subject(info, found[0].hash, found[0].name)


def _of_versions(store: Store, runs: RunStore, matchup: Matchup) -> tuple[_Subject, _Subject]:
    """Return both sides from the newest run of both versions, else from the newest run of each by the same suite."""
    one, other = _two_versions(store, matchup)
    together = runs.cases().runs_with([one.hash, other.hash])
    if together:
        info = runs.run(together[0][0])
        return _subject(info, one.hash, one.label), _subject(info, other.hash, other.label)
    mine, theirs = (_newest_by_suite(runs, version) for version in (one, other))
    suites = [suite for suite in theirs if suite in mine]
    if not suites:
        never = next((item.label for item, found in ((one, mine), (other, theirs)) if not found), None)
        what = f"no run has called {never}" if never else f"no suite has run both {one.label} and {other.label}"
        hint = f"`promptbench compare {shlex.join(matchup.words)} SUITE` runs both now"
        raise InputError(what, hint=hint)
    first, second = runs.run(mine[suites[0]]), runs.run(theirs[suites[0]])
    return _subject(first, one.hash, one.label), _subject(second, other.hash, other.label)


def _newest_by_suite(runs: RunStore, version: _Version) -> dict[str, str]:
    """Return the newest run of a version by suite, the newest one first."""
    found: dict[str, str] = {}
    for run, suite in runs.cases().runs_with([version.hash]):
        found.setdefault(suite, run)
    return found


def _pairs(runs: RunStore, first: _Subject, second: _Subject) -> list[Pair]:
    """Each model with itself; where the sides have one each, these two."""
    common = [(model, model) for model in first.models if model in second.models]
    if not common and len(first.models) == len(second.models) == 1:
        common = [(first.models[0], second.models[0])]
    if not common:
        names = f"{', '.join(first.models)} and {', '.join(second.models)}"
        raise InputError(f"the two have no model in common: {names}", hint="compare runs of one model each")
    return [Pair(_end(runs, first, one), _end(runs, second, other)) for one, other in common]


def _end(runs: RunStore, subject: _Subject, model: str) -> End:
    facts = next(item for item in subject.info.facts["models"] if item["model"] == model)
    same = facts["deterministic"] if "deterministic" in facts else runs.deterministic(model)
    return End(subject.variant, model, bool(same))


def _cases(
    runs: RunStore, first: RunInfo, second: RunInfo, wanted: Sequence[str]
) -> tuple[list[CaseInfo], dict[str, list[str]]]:
    """The cases that are the same in both runs, and the others under the reason why they are not compared.

    Of those in `wanted` only, where it is not empty.
    """
    theirs, ours = ({case.name: case for case in runs.cases().of(info.id)} for info in (first, second))
    old = next((info.id for info, found in ((first, theirs), (second, ours)) if not found), None)
    if old is not None:
        hint = "make a new one, or compare the versions by a suite: `promptbench compare A B SUITE`"
        raise InputError(f"run {old} has no record of its cases, so they cannot be matched", hint=hint)
    if wanted:
        theirs, ours = (
            {name: case for name, case in found.items() if any(fnmatchcase(name, pattern) for pattern in wanted)}
            for found in (theirs, ours)
        )
        if not theirs and not ours:
            raise NothingSelected(f"neither run has a case named {' or '.join(wanted)}", hint="* matches any text")
    changed = [name for name in ours if name in theirs and ours[name].content != theirs[name].content]
    same = [case for name, case in ours.items() if name in theirs and name not in set(changed)]
    if not same:
        what = "no case is the same in both runs, so there is nothing to compare"
        if first.suite != second.suite:
            what = f"run {first.id} is of the suite '{first.suite}' and run {second.id} of '{second.suite}': {what}"
        raise NothingSelected(what, hint="`promptbench compare NAME@N NAME@N SUITE` runs both on the same cases now")
    left_out = {
        "changed since": changed,
        "new": [name for name in ours if name not in theirs],
        "gone": [name for name in theirs if name not in ours],
    }
    infos = [CaseInfo(case.name, **{key: _as_field(value) for key, value in case.gated_by.items()}) for case in same]
    return infos, {why: names for why, names in left_out.items() if names}


def _as_field(value: Json) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _has_both(pairs: Sequence[Pair], case: str, champion: AttemptMatrix, candidate: AttemptMatrix) -> bool:
    """Return True if both sides have an attempt on every model; an interrupted run has not."""
    ends = [(end, table) for pair in pairs for end, table in ((pair.champion, champion), (pair.candidate, candidate))]
    cells = [table.cell(end.variant, end.model, case) for end, table in ends]
    return all(cell.total or cell.errored for cell in cells)


def _table(runs: RunStore, info: RunInfo, policy: Policy) -> AttemptMatrix:
    measured = policy.measured
    return AttemptMatrix(runs.outcomes(info.id, measured=bool(measured)), measured=measured)


def _named(first: _Subject, second: _Subject) -> ComparisonLabels:
    """Return the shortest names that distinguish both sides."""
    if first.variant != second.variant and first.label != second.label:
        return ComparisonLabels(first.label, second.label)
    if first.models != second.models and len(first.models) == len(second.models) == 1:
        return ComparisonLabels(f"on {first.models[0]}", f"{second.label} on {second.models[0]}")
    return ComparisonLabels(f"in run {first.info.id}", f"{second.label} in run {second.info.id}")


def _in_full(first: _Subject, second: _Subject, side: _Subject) -> str:
    """Return a side's full name."""
    named = _named(first, second)
    if side is second:
        return named.candidate
    return named.champion if named.champion == first.label else f"{first.label} {named.champion}"


def _again(first: _Subject, second: _Subject) -> str:
    folder = Path(str(second.info.facts["path"])).parent.as_posix()
    return f"promptbench compare A B {folder}" if first.variant != second.variant else str(second.info.facts["command"])


# -- what words mean ---------------------------------------------------------------------------------------------------


def _two_versions(store: Store, matchup: Matchup) -> tuple[_Version, _Version]:
    one, other = (_version(store, word) for word in matchup.words[:2])
    if one.hash == other.hash:
        hint = f"`promptbench prompts list` has the versions of {one.prompt}"
        raise InputError(f"{one.label} and {other.label} are the same version", hint=hint)
    if one.stored and other.stored and one.prompt != other.prompt:
        what = f"{one.label} and {other.label} are versions of different prompts"
        raise InputError(what, hint=f"`promptbench prompts list` has the versions of {one.prompt}")
    return one, other


def _version(store: Store, written: str) -> _Version:
    """A prompt file, or a version in the store."""
    path = Path(written)
    if path.is_dir() or path.suffix in (".yaml", ".yml"):
        raise InputError(f"{written} is a suite; name versions or runs of it", hint=_USAGE)
    if path.is_file():
        return _of_file(path)
    if "@" not in written and path.suffix:
        raise InputError(f"file {written} not found", hint="name a prompt file, or a version: NAME@N")
    found = store.get(written)
    return _Version(found.prompt, f"{found.prompt}@{found.number}", found.source, found.hash, stored=True)


def _of_file(path: Path) -> _Version:
    problems = Diagnostics()
    prompt = load_prompt(path, path.as_posix(), problems)
    if prompt is None:
        raise input_error(problems)
    return _Version(prompt.name, path.name.removesuffix(".prompt"), prompt.source, prompt.hash)


def _asked_version(project: Project, store: Store, runs: RunStore | None, path: Path, file: Path | None) -> _Version:
    """Return the version to run on two models: that of a file, else the one in production, else the suite's own."""
    if file is not None:
        return _of_file(file)
    selection = Selection(paths=(path,))
    [prepared], _ = project.assemble(selection, store=store, runs=runs)
    if prepared.champion is not None:
        return _version(store, f"{prepared.prompt_name}@{PRODUCTION}")
    if len(prepared.candidates) > 1:
        raise InputError("the suite has several candidates and nothing in production", hint="name one: --prompt FILE")
    only = prepared.candidates[0]
    return _Version(prepared.prompt_name, only.label.removesuffix(".prompt"), only.prompt.source, only.hash)


def _stored(version: _Version) -> StoredPrompt:
    return StoredPrompt(version.label, version.source)
