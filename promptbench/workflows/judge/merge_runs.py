"""Merge the shards of a run into one run, and judge it as a whole."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from promptbench import __version__
from promptbench.core.errors import ConflictError, Diagnostics, EnvironmentFailure, InputError
from promptbench.core.types import CacheMode, Json
from promptbench.core.words import number_of
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.shards import Shard
from promptbench.project import DURATIONS, Project
from promptbench.report.model import RunReport
from promptbench.store.prompts import Store
from promptbench.store.run_file import RunFile, copy
from promptbench.store.runs import RunInfo, RunStore
from promptbench.suite.loader import load as load_suite
from promptbench.workflows.judge.baseline import production_baseline
from promptbench.workflows.judge.determinism import as_confirmed
from promptbench.workflows.judge.execute import (
    JudgedRun,
    finish,
    judge_all,
    looks_of,
    plan_hash,
    run_cases,
    suite_facts,
    table_of,
    without_judges,
)
from promptbench.workflows.judge.looks import champions_since_fix
from promptbench.workflows.judge.proof import add_promotions, attach_proofs
from promptbench.workflows.judge.rejudge import prepare_again
from promptbench.workflows.judge.report import build

_MOST_NAMED = 5
# The facts that all shards of a run share, with their names in messages.
_SAME = {"suite_hash": "its cases", "checks_hash": "its checks", "whole_plan": "its gate, prompts or models"}


@dataclass(frozen=True, slots=True)
class _Part:
    """A run of one shard, and its file."""

    shard: Shard
    info: RunInfo
    file: RunFile

    def __str__(self) -> str:
        return f"shard {self.shard} (run {self.info.id} in {self.file.path})"


def merge_runs(project: Project, files: Sequence[Path], *, evidence: bool = False) -> list[RunReport]:
    """Merge the shards in run records into one run and judge it. Return a report for each suite. No call is made.

    The newest run of each shard counts.

    Args:
        files: run records or folders with one; by default the project's own.
        evidence: add the evidence, over all suites about one prompt.

    Raises:
        InputError: a shard or a case is missing, or a case is in two shards.
        ConflictError: the shards differ in suite, prompts or gate, or from the present ones.
        EnvironmentFailure: a shard is unfinished.
    """
    with project.prompts() as store, project.runs() as runs, ExitStack() as stack:
        opened = [stack.enter_context(closing(RunFile.open(path))) for path in files or [project.settings.state]]
        found = _newest(
            _Part(Shard.parse(str(info.facts["shard"])), info, file) for file in opened for info in file.shards()
        )
        if not found:
            where = ", ".join(str(file.path) for file in opened)
            raise InputError(f"no run of a shard in {where}", hint="`promptbench run --shard 1/2` makes one")
        checked = [(parts, _prepare(project, store, runs, parts)) for parts in found]
        judged = [_merge(project, store, runs, parts, prepared) for parts, prepared in checked]
        reports = add_promotions(project, store, runs, judged, [build(runs, run) for run in judged])
        return attach_proofs(project, runs, judged, reports) if evidence else reports


def _newest(parts: Iterable[_Part]) -> list[list[_Part]]:
    """Return, for each suite, the newest run of each shard of its newest split."""
    found: dict[str, dict[int, _Part]] = {}
    for part in sorted(parts, key=lambda part: (part.info.started, part.info.id)):
        shards = found.setdefault(str(part.info.facts["path"]), {})
        if any(other.shard.of != part.shard.of for other in shards.values()):
            shards.clear()
        shards[part.shard.number] = part
    return [[shards[number] for number in sorted(shards)] for shards in found.values()]


def _prepare(project: Project, store: Store, runs: RunStore, parts: Sequence[_Part]) -> PreparedSuite:
    """Assemble the whole suite, after checking that these are all of its parts."""
    first = parts[0]
    for part in parts:
        if part.info.finished is None:
            raise EnvironmentFailure(f"{part} is not finished", hint=f"`{part.info.facts['command']}` resumes it")
        _check_same(first, part.info.facts, str(part))
        if part.info.facts["cache"] != first.info.facts["cache"]:
            raise ConflictError(f"{first} and {part} differ in --cache", hint="run one of them again")
    missing = sorted(set(range(1, first.shard.of + 1)) - {part.shard.number for part in parts})
    if missing:
        names = _shorten(f"{number}/{first.shard.of}" for number in missing)
        raise InputError(f"missing shards: {names}", hint="name the run record of every shard")
    prepared = prepare_again(project, store, runs, first.info)
    now = {**suite_facts(project, prepared), "whole_plan": prepared.whole_plan}
    _check_same(first, now, f"{first.info.facts['path']} as it is now")
    where: dict[str, _Part] = {}
    hint = f"{DURATIONS} next to the suite decides the split: it must be the same for all shards"
    for part in parts:
        for name in part.file.case_names(part.info.id):
            if name in where:
                raise InputError(f"the case '{name}' is in {where[name]} and in {part}", hint=hint)
            where[name] = part
    if absent := [name for name in prepared.cases.names if name not in where]:
        cases = number_of(len(absent), "case")
        raise InputError(f"{cases} not found in any shard: {_shorten(map(repr, absent))}", hint=hint)
    return prepared


def _check_same(first: _Part, facts: Mapping[str, Json], what: str) -> None:
    differs = [name for key, name in _SAME.items() if facts.get(key) != first.info.facts.get(key)]
    if differs:
        hint = "run all shards on one commit, and merge them there"
        raise ConflictError(f"{first} and {what} do not belong together: {differs[0]} differ", hint=hint)


def _shorten(names: Iterable[str]) -> str:
    found = list(names)
    rest = len(found) - _MOST_NAMED
    return ", ".join(found[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _merge(
    project: Project, store: Store, runs: RunStore, parts: Sequence[_Part], prepared: PreparedSuite
) -> JudgedRun:
    oldest = min((part.info for part in parts), key=lambda info: info.started)
    facts = {key: value for key, value in oldest.facts.items() if key not in ("shard", "whole_plan")}
    facts |= suite_facts(project, prepared)
    facts["command"] = str(facts["command"]).removesuffix(f" --shard {oldest.facts['shard']}")
    facts["shards"] = [part.info.id for part in parts]
    plan = plan_hash(prepared, CacheMode(facts["cache"]), facts.get("rule", 1))
    new = runs.start_again(oldest, plan, facts, __version__)
    copy(runs, new.id, [(part.file, part.info.id) for part in parts])
    runs.cases().keep(new.id, run_cases(prepared))
    prepared = as_confirmed(prepared, runs, new)
    table = table_of(prepared, runs, new.id)
    before = production_baseline(prepared, str(facts["path"]), store, runs, new.started)
    looks = looks_of(prepared, runs, new, champions_since_fix(store, prepared))
    looks.count(table)
    record = looks.record
    verdicts = judge_all(prepared, table, asked_all=None, earlier=before, record=record)
    verdicts = without_judges(project, prepared, runs, new, verdicts)
    looks.finish(verdicts)
    return finish(runs, JudgedRun(prepared, new, verdicts, table, record))


def durations(project: Project, suite: Path) -> Path:
    """Write the duration of each case in a suite's newest finished run to the file that decides the split.

    Raises:
        InputError: the suite has no finished run, or the file is not writable.
    """
    file = project.suite_file(suite)
    loaded = load_suite(file, project.shown(file), Diagnostics())
    if loaded is None:
        raise InputError(f"{project.shown(file)} has errors", hint="`promptbench validate` shows them")
    with project.runs() as runs:
        cases = runs.listing().durations(runs.latest_of_suite(loaded.name, finished=True))
    path = file.parent / DURATIONS
    text = json.dumps({"schema_version": 1, "suite": loaded.name, "cases": cases}, ensure_ascii=False, indent=1)
    try:
        path.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    return path
