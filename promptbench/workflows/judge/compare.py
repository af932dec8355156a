"""Compare two runs, versions or models: is the second one worse? Recorded answers are used if there are any."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from promptbench.core.errors import Diagnostics, InputError, NothingSelected
from promptbench.core.events import Listener
from promptbench.core.subset import EVERYTHING, Subset
from promptbench.core.types import Side
from promptbench.engine.plan import Estimate
from promptbench.engine.prepare.options import ComparedVersions, Selection, StoredPrompt
from promptbench.engine.prepare.prepared_suite import PreparedSuite, slot_of
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.policy import ComparisonLabels, Policy
from promptbench.project import PRODUCTION, Project, input_error
from promptbench.prompts.parser import load as load_prompt
from promptbench.report.model import RunReport
from promptbench.store.prompts import Store
from promptbench.store.runs import RunInfo, RunStore
from promptbench.workflows.judge.budgets import Spending, estimate_calls
from promptbench.workflows.judge.comparison_sides import End, Pair, Pairing
from promptbench.workflows.judge.determinism import varying_notes
from promptbench.workflows.judge.execute import JudgedRun, case_infos, execute, policy_of
from promptbench.workflows.judge.recorded_results import expected_of
from promptbench.workflows.judge.report import build_comparison

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
    subset: Subset = EVERYTHING

    @property
    def selection(self) -> Selection:
        """The part of a suite to compare."""
        return Selection(models=self.models, cases=self.cases, tags=self.tags, subset=self.subset)

    @property
    def command(self) -> str:
        """Return the command that repeats the comparison."""
        words = ["promptbench", "compare", *self.words]
        for flag, values in self.selection.flags.items():
            for value in values:
                words += [f"--{flag}", value]
        return shlex.join([*words, *(("--prompt", self.prompt.as_posix()) if self.prompt else ())])


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
class _RecordedSide:
    """A version in a run, and the models to compare it on."""

    info: RunInfo
    variant: str
    label: str
    models: tuple[str, ...]


def compare(
    project: Project,
    matchup: Matchup,
    *,
    spending: Spending | None = None,
    listen: Listener = lambda _: None,
) -> RunReport:
    """Judge if B is worse than A, case by case, with the statistics of the gate.

    Two runs, or two versions without a suite, are compared by their recorded answers, without a call. Two versions with
    a suite, and two models, run now, side by side.

    Raises:
        InputError: the words are not understood, or nothing is recorded for them.
        NothingSelected: no case can be compared.
    """
    spending = spending or Spending()
    with project.prompts() as store, project.runs() as runs:
        live = _prepare(project, store, runs, matchup)
        if live is None:
            return _compare_recorded(store, runs, matchup)
        prepared, pairing = live
        spending.check(project, [prepared])
        done = execute(
            project,
            prepared,
            runs,
            listen,
            command=matchup.command,
            selection={"prompt": [], **matchup.selection.flags, "compared": [*matchup.words, *matchup.models]},
            budgets=spending.budgets(spending.budget(), prepared),
            pairings=[pairing],
        )
        return live_report(runs, pairing, done, matchup.command)


def live_report(runs: RunStore, pairing: Pairing, done: JudgedRun, command: str) -> RunReport:
    """Return the result of a comparison whose sides ran now, in one run."""
    pairing = pairing.confirmed(done.prepared)
    report = build_comparison(
        runs,
        pairing,
        (done.info, done.info),
        pairing.joint(done.table, done.table),
        done.verdict,
        command=command,
        expected=partial(expected_of, done.prepared),
    )
    return replace(report, notes=[*varying_notes(done.prepared), *report.notes])


def plan_comparison(project: Project, matchup: Matchup) -> ComparisonPlan | None:
    """Return what `compare` would call; None if it compares recorded answers."""
    with project.prompts() as store, project.recordings() as runs:
        live = _prepare(project, store, runs, matchup)
        if live is None:
            return None
        prepared, (champion, candidate) = live[0], live[1].labels
        return ComparisonPlan(
            prepared.suite.name, candidate, champion, len(prepared.cases), estimate_calls(project, prepared)
        )


# -- both sides run now ------------------------------------------------------------------------------------------------


def _prepare(
    project: Project, store: Store, runs: RunStore | None, matchup: Matchup
) -> tuple[PreparedSuite, Pairing] | None:
    """Assemble the suite that both sides run now; None to compare recorded answers."""
    words, models = matchup.words, matchup.models
    if len(models) == 2 and len(words) <= 1:
        return None if words and _RUN.fullmatch(words[0]) else _prepare_models(project, store, runs, matchup)
    if len(words) not in (2, 3) or len(models) > 1 or matchup.prompt:
        raise InputError("compare needs two runs, two versions or two models", hint=_USAGE)
    if len(words) == 2:
        return None
    champion, candidate = _two_versions(store, matchup)
    first, second = (StoredPrompt(version.label, version.source) for version in (champion, candidate))
    compared = ComparedVersions(candidate.prompt, first, (second,))
    prepared = assemble_versions(project, store, runs, matchup.selection, Path(words[2]), compared)
    return prepared, Pairing.of(prepared, prepared.candidates[0])


def _prepare_models(
    project: Project, store: Store, runs: RunStore | None, matchup: Matchup
) -> tuple[PreparedSuite, Pairing]:
    one, other = matchup.models
    if one == other:
        raise InputError(f"{one} is compared with itself", hint="name two models: --model A --model B")
    path, *others = project.suite_files(list(map(Path, matchup.words)))
    if others:
        raise InputError("there are several suites", hint="name one: `promptbench compare SUITE --model A --model B`")
    version = version_to_run(project, store, runs, path, matchup.prompt)
    compared = ComparedVersions(version.prompt, None, (StoredPrompt(version.label, version.source),))
    prepared = assemble_versions(project, store, runs, matchup.selection, path, compared, own=True)
    own = {model.name: model.own_prompt for model in prepared.models if not model.uses_prompt}
    ends = {
        it.name: End(version.hash if it.uses_prompt else slot_of(it.own_prompt), it.name, prepared.deterministic(it))
        for it in prepared.models
    }
    for name in matchup.models:
        if name not in ends:
            if named := [model.name for model in prepared.models if str(model.ref) == name]:
                hint = f"name it as the suite does: {' or '.join(named)}"
                raise InputError(f"the suite has {name} under other names", hint=hint)
            raise InputError(f"no case of the suite runs on {name}", hint="`promptbench validate` says why")
    both = set(prepared.cases.on(one)) & set(prepared.cases.on(other))
    prepared = replace(prepared, cases=prepared.cases.only(name for name in prepared.cases.names if name in both))
    sent = {name: variant.label if variant else "" for name, variant in own.items()}
    first, second = ((sent.get(name, version.label), name) for name in (one, other))
    labels = (" on ".join(filter(None, first)), " on ".join(filter(None, second)))
    versus, pairs = ComparisonLabels(labels[0] if own else f"on {one}", labels[1]), [Pair(ends[one], ends[other])]
    return prepared, Pairing(labels, versus, pairs, case_infos(prepared), policy_of(prepared))


def assemble_versions(
    project: Project,
    store: Store,
    runs: RunStore | None,
    selection: Selection,
    path: Path,
    compared: ComparedVersions,
    *,
    own: bool = False,
) -> PreparedSuite:
    """Assemble the suite with these versions and only the models that get them; `own` adds the others."""
    selection = replace(selection, paths=(project.suite_file(path),))
    [prepared], _ = project.assemble(selection, store=store, runs=runs, compared=compared)
    # A model that does not get the versions is only compared with another model.
    compared_models = (model for model in prepared.models if model.uses_prompt or own)
    models = tuple(replace(model, gated=True) for model in compared_models)
    if not models:
        raise InputError(f"no model of the suite '{prepared.suite.name}' uses a prompt", hint="name one: --model")
    return replace(prepared, models=models)


# -- what is on record -------------------------------------------------------------------------------------------------


def _compare_recorded(store: Store, runs: RunStore, matchup: Matchup) -> RunReport:
    flags = {"tag": matchup.tags, "prompt": matchup.prompt, **matchup.subset.flags}
    if flag := next((flag for flag, value in flags.items() if value), None):
        raise InputError(f"--{flag} selects calls, and this compares recorded answers", hint=_USAGE)
    first, second = _recorded_sides(store, runs, matchup)
    again, suite = str(second.info.facts["command"]), Path(str(second.info.facts["path"])).parent.as_posix()
    if len(matchup.models) == 2:
        again = replace(matchup, words=(suite,)).command
    elif first.variant != second.variant:
        versions = ("A", "B") if any(map(_RUN.fullmatch, matchup.words)) else matchup.words
        again = shlex.join(["promptbench", "compare", *versions, suite])
    return _judge_recorded(runs, first, second, matchup.cases, command=matchup.command, again=again)


def recorded_comparison(runs: RunStore, info: RunInfo) -> RunReport:
    """Return the report on a comparison that was run, from its recorded answers."""
    if sum(item.side is Side.CANDIDATE for item in info.variants) > 1:
        hint = f"`{info.facts['command']}` makes it again"
        raise InputError(f"run {info.id} is of `ablate`, whose report is not kept", hint=hint)
    chosen, by_side = info.facts["selection"], {item.side: item for item in info.variants}
    second = _side_in(info, by_side[Side.CANDIDATE].hash, by_side[Side.CANDIDATE].name)
    first = second
    if Side.CHAMPION in by_side:
        first = _side_in(info, by_side[Side.CHAMPION].hash, by_side[Side.CHAMPION].name)
    else:
        first, second = (replace(second, models=(model,)) for model in chosen["model"])
    command = str(info.facts["command"])
    return _judge_recorded(runs, first, second, chosen["case"], command=command, again=command)


def _judge_recorded(
    runs: RunStore,
    first: _RecordedSide,
    second: _RecordedSide,
    patterns: Sequence[str],
    *,
    command: str,
    again: str,
) -> RunReport:
    """Judge two recorded sides; `again` is the command that calls the models where too few tries are recorded."""
    pairs, policy = _pairs(runs, first, second), Policy.of(second.info.facts["policy"])
    cases, left_out = _common_cases(runs, first.info, second.info, patterns)
    champion, candidate = (
        AttemptMatrix.of(runs.outcomes(side.info.id), {}, measured=policy.measured) for side in (first, second)
    )
    # An interrupted run may have attempts at a case on some models only.
    ends = [(end, table) for pair in pairs for end, table in ((pair.champion, champion), (pair.candidate, candidate))]
    across = len({end.model for end, _ in ends}) > len(pairs)  # Two models are compared, so both must have the case.
    cells = {
        case.name: [
            table.cell(end.variant, end.model, case.name) for end, table in ends if across or case.runs_on(end.model)
        ]
        for case in cases
    }
    missing = [name for name, found in cells.items() if not all(cell.total or cell.errored for cell in found)]
    if missing:
        cases = [case for case in cases if case.name not in set(missing)]
        left_out["not asked of both"] = missing
    if not cases:
        raise NothingSelected("no case was run on both sides, so nothing can be compared")
    versus = ComparisonLabels(f"in run {first.info.id}", f"{second.label} in run {second.info.id}")
    if first.variant != second.variant and first.label != second.label:
        versus = ComparisonLabels(first.label, second.label)
    elif first.models != second.models and len(first.models) == len(second.models) == 1:
        versus = ComparisonLabels(f"on {first.models[0]}", f"{second.label} on {second.models[0]}")
    whole = versus.champion if versus.champion == first.label else f"{first.label} {versus.champion}"
    pairing = Pairing((whole, versus.candidate), versus, pairs, cases, policy)
    joint = pairing.joint(champion, candidate)
    verdict, infos = pairing.judge_recorded(joint, again), (first.info, second.info)
    report = build_comparison(runs, pairing, infos, joint, verdict, command=command, left_out=left_out)
    unfinished = {info.id: info.facts["command"] for info in infos if info.finished is None}
    notes = [f"run {run} is not finished; `{command}` resumes it" for run, command in unfinished.items()]
    return replace(report, notes=[*notes, *report.notes])


def _recorded_sides(store: Store, runs: RunStore, matchup: Matchup) -> tuple[_RecordedSide, _RecordedSide]:
    words, models = matchup.words, matchup.models
    if len(words) == 1:
        both = _side_of_run(runs, words[0])
        first, second = (_on_models(both, [model]) for model in models)
        return first, second
    are_runs = [bool(_RUN.fullmatch(word)) for word in words]
    if all(are_runs):
        first, second = (_side_of_run(runs, word) for word in words)
        if (first.info.id, first.variant) == (second.info.id, second.variant):
            raise InputError(f"run {first.info.id} is compared with itself", hint="`promptbench runs list` has others")
    elif any(are_runs):
        raise InputError("a run and a version cannot be compared", hint="name two runs, or two versions")
    else:
        first, second = _sides_of_versions(store, runs, matchup)
    return _on_models(first, models), _on_models(second, models)


def _on_models(side: _RecordedSide, models: Sequence[str]) -> _RecordedSide:
    own = {item["model"]: item["prompt"] for item in side.info.facts["models"] if "prompt" in item}
    if len(models) == 1 and models[0] in own:
        label = next(item.name for item in side.info.variants if item.hash == own[models[0]]).removesuffix(".prompt")
        return replace(side, variant=own[models[0]], label=label, models=tuple(models))
    for model in models:
        if model not in side.models:
            hint = f"it called {', '.join(side.models)}"
            raise InputError(f"run {side.info.id} did not call {model}", hint=hint)
    return replace(side, models=tuple(models) or side.models)


def _side_in(info: RunInfo, variant: str, label: str) -> _RecordedSide:
    models = tuple(str(model["model"]) for model in info.facts["models"] if model["uses_prompt"])
    return _RecordedSide(info, variant, label.removesuffix(".prompt"), models)


def _side_of_run(runs: RunStore, name: str) -> _RecordedSide:
    """Return the version that a run was about: its candidate, or the prompt in production if that was tested."""
    info = runs.run(name)
    if info.facts["selection"].get("replayed"):
        raise InputError(f"run {info.id} replayed logged calls and not the cases of a suite", hint="name another run")
    found = [item for item in info.variants if item.side == "candidate"] or [
        item for item in info.variants if item.side != "baseline"
    ]
    if len(found) != 1:
        names = ", ".join(item.name for item in found)
        raise InputError(f"run {info.id} is about several candidates: {names}", hint="compare versions: NAME@N NAME@M")
    return _side_in(info, found[0].hash, found[0].name)


def _sides_of_versions(store: Store, runs: RunStore, matchup: Matchup) -> tuple[_RecordedSide, _RecordedSide]:
    """Return both sides from the newest run of both versions, else from the newest run of each by the same suite."""
    one, other = _two_versions(store, matchup)
    together = runs.cases().runs_with([one.hash, other.hash])
    if together:
        info = runs.run(together[0][0])
        return _side_in(info, one.hash, one.label), _side_in(info, other.hash, other.label)
    # The newest run comes first; of a suite's runs the last assignment stays.
    mine, theirs = (
        {suite: run for run, suite in reversed(runs.cases().runs_with([version.hash]))} for version in (one, other)
    )
    suites = [suite for suite in reversed(theirs) if suite in mine]
    if not suites:
        never = next((item.label for item, found in ((one, mine), (other, theirs)) if not found), None)
        what = f"no run has called {never}" if never else f"no suite has run both {one.label} and {other.label}"
        hint = f"`promptbench compare {shlex.join(matchup.words)} SUITE` runs both now"
        raise InputError(what, hint=hint)
    first, second = runs.run(mine[suites[0]]), runs.run(theirs[suites[0]])
    return _side_in(first, one.hash, one.label), _side_in(second, other.hash, other.label)


def _pairs(runs: RunStore, first: _RecordedSide, second: _RecordedSide) -> list[Pair]:
    """Pair each model with itself; if the sides have one model each, these two."""
    common = [(model, model) for model in first.models if model in second.models]
    if not common and len(first.models) == len(second.models) == 1:
        common = [(first.models[0], second.models[0])]
    if not common:
        names = f"{', '.join(first.models)} and {', '.join(second.models)}"
        raise InputError(f"the two have no model in common: {names}", hint="compare runs of one model each")
    return [Pair(_end(runs, first, one), _end(runs, second, other)) for one, other in common]


def _end(runs: RunStore, side: _RecordedSide, model: str) -> End:
    facts = next(item for item in side.info.facts["models"] if item["model"] == model)
    same = facts["deterministic"] if "deterministic" in facts else runs.deterministic(model)
    repeated = runs.confirmed(side.info.id, [model]).get(model, "confirms" not in facts) if same else False
    return End(side.variant, model, repeated)


def _common_cases(
    runs: RunStore, first: RunInfo, second: RunInfo, patterns: Sequence[str]
) -> tuple[list[CaseInfo], dict[str, list[str]]]:
    """Return the cases that are the same in both runs, and the names of the others by why they are not compared.

    If there are `patterns`, only cases whose names match one of them.
    """
    theirs, ours = ({case.name: case for case in runs.cases().of(info.id)} for info in (first, second))
    for info, found in ((first, theirs), (second, ours)):
        if not found:
            hint = "make a new one, or compare the versions by a suite: `promptbench compare A B SUITE`"
            raise InputError(f"run {info.id} has no record of its cases, so they cannot be matched", hint=hint)
    if patterns:
        theirs, ours = (
            {name: case for name, case in found.items() if any(fnmatchcase(name, pattern) for pattern in patterns)}
            for found in (theirs, ours)
        )
        if not theirs and not ours:
            raise NothingSelected(f"neither run has a case named {' or '.join(patterns)}", hint="* matches any text")
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
    infos = []
    for case in same:
        known: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in case.gated_by.items()
        }
        infos.append(CaseInfo(case.name, **known))
    return infos, {why: names for why, names in left_out.items() if names}


# -- what words mean ---------------------------------------------------------------------------------------------------


def _two_versions(store: Store, matchup: Matchup) -> tuple[_Version, _Version]:
    one, other = (_find_version(store, word) for word in matchup.words[:2])
    if one.hash == other.hash:
        what = f"{one.label} and {other.label} are the same version"
    elif one.stored and other.stored and one.prompt != other.prompt:
        what = f"{one.label} and {other.label} are versions of different prompts"
    else:
        return one, other
    raise InputError(what, hint=f"`promptbench prompts list` has the versions of {one.prompt}")


def _find_version(store: Store, written: str) -> _Version:
    """Return the version in a prompt file, or in the store."""
    path = Path(written)
    if path.is_dir() or path.suffix in (".yaml", ".yml"):
        raise InputError(f"{written} is a suite; name versions or runs of it", hint=_USAGE)
    if path.is_file():
        return _version_in_file(path)
    if "@" not in written and path.suffix:
        raise InputError(f"file {written} not found", hint="name a prompt file, or a version: NAME@N")
    found = store.get(written)
    return _Version(found.prompt, f"{found.prompt}@{found.number}", found.source, found.hash, stored=True)


def _version_in_file(path: Path) -> _Version:
    problems = Diagnostics()
    prompt = load_prompt(path, path.as_posix(), problems)
    if prompt is None:
        raise input_error(problems)
    return _Version(prompt.name, path.name.removesuffix(".prompt"), prompt.source, prompt.hash)


def version_to_run(project: Project, store: Store, runs: RunStore | None, path: Path, file: Path | None) -> _Version:
    """Return the version to run on two models: that of a file, else the one in production, else the suite's own."""
    if file is not None:
        return _version_in_file(file)
    [prepared], _ = project.assemble(Selection(paths=(path,)), store=store, runs=runs)
    if prepared.champion is not None:
        return _find_version(store, f"{prepared.prompt_name}@{PRODUCTION}")
    only, *others = prepared.candidates
    if others:
        raise InputError("the suite has several candidates and nothing in production", hint="name one: --prompt FILE")
    return _Version(prepared.prompt_name, only.label.removesuffix(".prompt"), only.prompt.source, only.hash)
