"""Compares any two runs, versions or models: is the second one worse? What is on record is not asked again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from promptbench.api.contrast import Side, contrast
from promptbench.api.pairing import End, Pair, Pairing
from promptbench.api.results import expected_of
from promptbench.api.running import Asked, case_infos, execute, policy_of
from promptbench.api.spending import Spending, expected
from promptbench.api.workspace import PRODUCTION, Project, input_error
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.events import Listener
from promptbench.core.types import Json
from promptbench.engine.estimate import Estimate
from promptbench.gate.flips import CaseInfo
from promptbench.gate.policy import Policy, Versus
from promptbench.gate.table import Table
from promptbench.project.bench import PreparedModel, PreparedSuite
from promptbench.project.options import ComparedVersions, Selection, StoredPrompt
from promptbench.prompts.parser import load as load_prompt
from promptbench.report.model import RunReport
from promptbench.store.prompts import Store
from promptbench.store.runs import RunInfo, RunStore

_RUN = re.compile(r"\d{4,8}|\d{8}-\d{1,6}(-[0-9a-f]{1,4})?|latest")
"""A run's name, or the start of it."""
_USAGE = "`compare RUN RUN`, `compare NAME@N NAME@N [SUITE]` or `compare SUITE --model A --model B`"


@dataclass(frozen=True, slots=True)
class Matchup:
    """What is compared: `A B`, `A B SUITE`, or with two models one suite, one run or nothing; A is what came before.

    `prompt` is the file that is asked on both models, instead of what is in production.
    """

    words: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    prompt: Path | None = None
    cases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """What a comparison would ask: by model the calls, tokens and cost of the first round."""

    suite: str
    candidate: str
    champion: str
    cases: int
    expected: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class _Version:
    """A prompt version as it is compared. `stored` tells it from a file."""

    prompt: str
    label: str
    source: str
    hash: str
    stored: bool = False


@dataclass(frozen=True, slots=True)
class _Question:
    """A comparison for which both sides are asked now."""

    prepared: PreparedSuite
    pairing: Pairing
    labels: tuple[str, str]
    asked: Asked


def compare(
    project: Project,
    matchup: Matchup,
    *,
    spending: Spending | None = None,
    listen: Listener = lambda _: None,
) -> RunReport:
    """Judges whether B is worse than A, by the statistics of the gate and case by case.

    Two runs, or two versions without a suite, are compared by what is on record, without a call; two versions with a
    suite, and two models, are asked now, side by side. Raises InputError where the words mean nothing, or what they
    mean was never asked, NothingSelected where no case can be compared.
    """
    with project.prompts() as store, project.runs() as runs:
        question = _question(project, store, runs, matchup)
        if question is not None:
            return _ask(project, runs, question, spending or Spending(), listen)
        return _recorded(project, store, runs, matchup)


def plan_comparison(project: Project, matchup: Matchup) -> ComparisonPlan | None:
    """What `compare` would ask; None where it compares what is on record."""
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
        raise InputError("what is to be compared with what?", hint=_USAGE)
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
    versus = Versus(champion.label, candidate.label)
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
        hint = "a run shows it beside the prompt: `promptbench run SUITE`"
        raise InputError(f"{blind[0]} sees no prompt, so a prompt cannot be compared on it", hint=hint)
    first, second = (ends[name] for name in matchup.models)
    labels = (f"{version.label} on {first.model}", f"{version.label} on {second.model}")
    versus = Versus(f"on {first.model}", labels[1])
    return _Question(prepared, _pairing(prepared, versus, [Pair(first, second)]), labels, _asked(prepared, matchup))


def _only_suite(project: Project) -> Path:
    file, *others = project.suite_files(())
    if others:
        raise InputError("there are several suites", hint="name one: `promptbench compare SUITE --model A --model B`")
    return file


def _prepared(
    project: Project, store: Store, runs: RunStore | None, matchup: Matchup, path: Path, compared: ComparedVersions
) -> PreparedSuite:
    """The suite with these versions, and with models that see a prompt only."""
    selection = Selection((project.suite_file(path),), (), matchup.models, matchup.cases, matchup.tags)
    [prepared], _ = project.assemble(selection, store=store, runs=runs, compared=compared)
    if not (models := _seeing(prepared)):
        raise InputError(f"no model of the suite '{prepared.suite.name}' uses a prompt", hint="name one: --model")
    return replace(prepared, models=models)


def _seeing(prepared: PreparedSuite) -> tuple[PreparedModel, ...]:
    return tuple(replace(model, gated=True) for model in prepared.models if model.uses_prompt)


def _pairing(prepared: PreparedSuite, versus: Versus, pairs: Sequence[Pair]) -> Pairing:
    return Pairing(versus, pairs, case_infos(prepared), policy_of(prepared))


def _asked(prepared: PreparedSuite, matchup: Matchup) -> Asked:
    chosen = {"prompt": [], **{flag: list(values) for flag, values in _flags(matchup).items()}}
    return Asked(_command(matchup), {**chosen, "compared": [*matchup.words, *matchup.models]})


def _flags(matchup: Matchup) -> dict[str, Sequence[str]]:
    return {"model": matchup.models, "case": matchup.cases, "tag": matchup.tags}


def _command(matchup: Matchup) -> str:
    """What makes the comparison again."""
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
    sides = (Side(done.info, question.labels[0]), Side(done.info, question.labels[1]))
    joint = pairing.joint(done.table, done.table)
    command, expected = question.asked.command, partial(expected_of, prepared)
    return contrast(runs, pairing, sides, joint, done.verdict, command=command, left_out={}, expected=expected)


# -- what is on record -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Subject:
    """One side on record: a version in a run, and the models that it is looked at on."""

    info: RunInfo
    variant: str
    label: str
    models: tuple[str, ...]


def _recorded(project: Project, store: Store, runs: RunStore, matchup: Matchup) -> RunReport:
    if matchup.tags or matchup.prompt:
        flag = "--tag" if matchup.tags else "--prompt"
        raise InputError(f"{flag} says what is to be asked, and this compares what is on record", hint=_USAGE)
    first, second = _subjects(store, runs, matchup)
    pairs = _pairs(runs, first, second)
    cases, left_out = _cases(runs, first.info, second.info, matchup.cases)
    policy = Policy.of(second.info.facts["policy"])
    champion, candidate = (_table(runs, item.info, policy) for item in (first, second))
    if unasked := [case.name for case in cases if not _asked_both(pairs, case.name, champion, candidate)]:
        cases = [case for case in cases if case.name not in set(unasked)]
        left_out["not asked of both"] = unasked
    if not cases:
        raise NothingSelected("no case was asked of both, so there is nothing to compare")
    pairing = Pairing(_named(first, second), pairs, cases, policy)
    joint = pairing.joint(champion, candidate)
    verdict = pairing.as_recorded(joint, _again(project, first, second))
    sides = (Side(first.info, _in_full(first, second, first)), Side(second.info, _in_full(first, second, second)))
    report = contrast(runs, pairing, sides, joint, verdict, command=_command(matchup), left_out=left_out)
    return replace(report, notes=[*_interrupted(first.info, second.info), *report.notes])


def _interrupted(*infos: RunInfo) -> Iterator[str]:
    for run, command in {info.id: info.facts["command"] for info in infos if info.finished is None}.items():
        yield f"run {run} has not come to its end; `{command}` goes on with it"


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
            raise InputError(f"run {subject.info.id} did not ask {model}", hint=f"it asked {known}")
    return tuple(only) or subject.models


def _subject(info: RunInfo, variant: str, label: str) -> _Subject:
    models = tuple(str(model["model"]) for model in info.facts["models"] if model["uses_prompt"])
    return _Subject(info, variant, label.removesuffix(".prompt"), models)


def _of_run(runs: RunStore, name: str) -> _Subject:
    """The version that a run was about: its candidate, or what is in production where that was looked at."""
    info = runs.run(name)
    if info.facts["selection"].get("replayed"):
        raise InputError(f"run {info.id} replayed logged calls and not the cases of a suite", hint="name another run")
    found = [item for item in info.variants if item.side == "candidate"] or list(info.variants)
    if len(found) != 1:
        names = ", ".join(item.name for item in found)
        raise InputError(f"run {info.id} is about several candidates: {names}", hint="compare versions: NAME@N NAME@M")
    return _subject(info, found[0].hash, found[0].name)


def _of_versions(store: Store, runs: RunStore, matchup: Matchup) -> tuple[_Subject, _Subject]:
    """The newest run that asked both versions; else the newest run of each by the same suite."""
    one, other = _two_versions(store, matchup)
    together = runs.cases().runs_with([one.hash, other.hash])
    if together:
        info = runs.run(together[0][0])
        return _subject(info, one.hash, one.label), _subject(info, other.hash, other.label)
    mine, theirs = (_newest_by_suite(runs, version) for version in (one, other))
    suites = [suite for suite in theirs if suite in mine]
    if not suites:
        never = next((item.label for item, found in ((one, mine), (other, theirs)) if not found), None)
        what = f"no run has asked {never}" if never else f"no suite has asked both {one.label} and {other.label}"
        hint = f"`promptbench compare {shlex.join(matchup.words)} SUITE` asks both now"
        raise InputError(what, hint=hint)
    first, second = runs.run(mine[suites[0]]), runs.run(theirs[suites[0]])
    return _subject(first, one.hash, one.label), _subject(second, other.hash, other.label)


def _newest_by_suite(runs: RunStore, version: _Version) -> dict[str, str]:
    """The newest run of each suite that asked a version; the suite with the newest one first."""
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
        raise InputError(f"run {old} does not say what its cases were, so they cannot be matched", hint=hint)
    if wanted:
        theirs, ours = (
            {name: case for name, case in found.items() if any(fnmatchcase(name, pattern) for pattern in wanted)}
            for found in (theirs, ours)
        )
        if not theirs and not ours:
            raise NothingSelected(f"neither run has a case named {' or '.join(wanted)}", hint="* stands for any text")
    changed = [name for name in ours if name in theirs and ours[name].content != theirs[name].content]
    same = [case for name, case in ours.items() if name in theirs and name not in set(changed)]
    if not same:
        what = "no case is the same in both runs, so there is nothing to compare"
        if first.suite != second.suite:
            what = f"run {first.id} is of the suite '{first.suite}' and run {second.id} of '{second.suite}': {what}"
        raise NothingSelected(what, hint="`promptbench compare NAME@N NAME@N SUITE` asks both the same cases now")
    left_out = {
        "changed since": changed,
        "new": [name for name in ours if name not in theirs],
        "gone": [name for name in theirs if name not in ours],
    }
    infos = [CaseInfo(case.name, **{key: _as_field(value) for key, value in case.gated_by.items()}) for case in same]
    return infos, {why: names for why, names in left_out.items() if names}


def _as_field(value: Json) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _asked_both(pairs: Sequence[Pair], case: str, champion: Table, candidate: Table) -> bool:
    """Whether there is an attempt of both sides on every model; a run that was interrupted has not asked everything."""
    ends = [(end, table) for pair in pairs for end, table in ((pair.champion, champion), (pair.candidate, candidate))]
    cells = [table.cell(end.variant, end.model, case) for end, table in ends]
    return all(cell.total or cell.errored for cell in cells)


def _table(runs: RunStore, info: RunInfo, policy: Policy) -> Table:
    measured = policy.measured
    return Table(runs.outcomes(info.id, measured=bool(measured)), measured=measured)


def _named(first: _Subject, second: _Subject) -> Versus:
    """Both sides as briefly as they can be told apart."""
    if first.variant != second.variant and first.label != second.label:
        return Versus(first.label, second.label)
    if first.models != second.models and len(first.models) == len(second.models) == 1:
        return Versus(f"on {first.models[0]}", f"{second.label} on {second.models[0]}")
    return Versus(f"in run {first.info.id}", f"{second.label} in run {second.info.id}")


def _in_full(first: _Subject, second: _Subject, side: _Subject) -> str:
    """A side by a name of its own."""
    named = _named(first, second)
    if side is second:
        return named.candidate
    return named.champion if named.champion == first.label else f"{first.label} {named.champion}"


def _again(project: Project, first: _Subject, second: _Subject) -> str:
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
        raise InputError(f"{written} is a suite, and versions or runs of it are compared", hint=_USAGE)
    if path.is_file():
        return _of_file(path)
    if "@" not in written and path.suffix:
        raise InputError(f"there is no file {written}", hint="name a prompt file, or a version: NAME@N")
    found = store.get(written)
    return _Version(found.prompt, f"{found.prompt}@{found.number}", found.source, found.hash, stored=True)


def _of_file(path: Path) -> _Version:
    problems = Diagnostics()
    prompt = load_prompt(path, path.as_posix(), problems)
    if prompt is None:
        raise input_error(problems)
    return _Version(prompt.name, path.name.removesuffix(".prompt"), prompt.source, prompt.hash)


def _asked_version(project: Project, store: Store, runs: RunStore | None, path: Path, file: Path | None) -> _Version:
    """The version that is asked on two models: that of a file, else what is in production, else the suite's own."""
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
