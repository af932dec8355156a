"""Shards of a run: reported without a verdict, then merged into one run and judged as if there had been no parts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptbench import __version__
from promptbench.api.earlier import earlier_answers
from promptbench.api.past import is_whole, prepared_of
from promptbench.api.promotion import proven
from promptbench.api.reporting import build
from promptbench.api.running import (
    Finished,
    judge_all,
    plan_hash,
    run_cases,
    table_of,
    what_is_asked,
    without_judges,
)
from promptbench.api.workspace import DURATIONS, Project
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import ConflictError, EnvironmentFailure, Exit, InputError
from promptbench.core.types import CacheMode, Json
from promptbench.core.words import number_of
from promptbench.engine.shards import Shard
from promptbench.gate.judge import Result
from promptbench.project.bench import PreparedSuite
from promptbench.report.model import RunReport
from promptbench.store.prompts import Store
from promptbench.store.run_file import RunFile, copy
from promptbench.store.runs import SHARD, RunInfo, RunStore
from promptbench.suite.loader import load as load_suite

_MOST_NAMED = 5
_SAME = {"suite_hash": "its cases", "checks_hash": "its checks", "whole_plan": "its gate, prompts or models"}
"""The facts that all shards of a run share, and what people call them."""


def as_shard(report: RunReport, finished: Finished) -> RunReport:
    """The report on a shard: no verdict, and no failure where everything was asked."""
    sentence = finished.info.sentence
    if finished.info.result != SHARD or sentence is None:
        return report
    judgements = [replace(item, result=SHARD, sentence=sentence) for item in report.judgements]
    return replace(report, result=SHARD, sentence=sentence, exit=Exit.YES, judgements=judgements)


@dataclass(frozen=True, slots=True)
class _Part:
    """A run of one shard, and the file that it is in."""

    shard: Shard
    info: RunInfo
    file: RunFile

    def __str__(self) -> str:
        return f"shard {self.shard} (run {self.info.id} in {self.file.path})"


def merge_runs(project: Project, files: Sequence[Path], *, evidence: bool = False) -> list[RunReport]:
    """Makes one run of the shards in some run records, and judges it; a report for each suite. No call is made.

    The newest run of each shard counts. `files` are run records or folders with one; the project's own by default.
    `evidence` adds the proof, over all suites about one prompt.

    Raises InputError when a shard or a case is missing, or a case is there twice; ConflictError when the shards are not
    of the same suite, prompts and gate, or not of those that there are now; EnvironmentFailure when one is unfinished.
    """
    with project.prompts() as store, project.runs() as runs:
        opened: list[RunFile] = []
        try:
            opened += (RunFile.open(path) for path in files or [project.settings.state])
            found = _newest(part for file in opened for part in _parts(file))
            if not found:
                where = ", ".join(str(file.path) for file in opened)
                hint = "`promptbench run --shard 1/2` makes one"
                raise InputError(f"there is no run of a shard in {where}", hint=hint)
            checked = [(parts, _checked(project, store, runs, parts)) for parts in found]
            merged = [(prepared, _merged(project, store, runs, parts, prepared)) for parts, prepared in checked]
            reports = [_report(prepared, runs, finished) for prepared, finished in merged]
            return proven(project, runs, merged, reports) if evidence else reports
        finally:
            for file in opened:
                file.close()


def _parts(file: RunFile) -> Iterable[_Part]:
    return (_Part(Shard.parse(str(info.facts["shard"])), info, file) for info in file.shards())


def _newest(parts: Iterable[_Part]) -> list[list[_Part]]:
    """For each suite the newest run of each shard, by number. Of a suite that was split anew the new split."""
    found: dict[str, dict[int, _Part]] = {}
    for part in sorted(parts, key=lambda part: (part.info.started, part.info.id)):
        shards = found.setdefault(str(part.info.facts["path"]), {})
        if any(other.shard.of != part.shard.of for other in shards.values()):
            shards.clear()
        shards[part.shard.number] = part
    return [[shards[number] for number in sorted(shards)] for shards in found.values()]


def _checked(project: Project, store: Store, runs: RunStore, parts: Sequence[_Part]) -> PreparedSuite:
    """The bench of the whole suite, of which these are all parts."""
    first = parts[0]
    for part in parts:
        if part.info.finished is None:
            raise EnvironmentFailure(f"{part} is not finished", hint=f"`{part.info.facts['command']}` goes on with it")
        _check_same(first, part.info.facts, str(part))
        if part.info.facts["cache"] != first.info.facts["cache"]:
            raise ConflictError(f"{first} and {part} do not use the cache alike", hint="run one of them again")
    missing = sorted(set(range(1, first.shard.of + 1)) - {part.shard.number for part in parts})
    if missing:
        names = _named(f"{number}/{first.shard.of}" for number in missing)
        raise InputError(f"these shards are missing: {names}", hint="name the run record of every shard")
    prepared = prepared_of(project, store, runs, first.info)
    now = {**what_is_asked(project, prepared), "whole_plan": prepared.whole_plan}
    _check_same(first, now, f"{first.info.facts['path']} as it is now")
    _check_cases(prepared, parts)
    return prepared


def _check_same(first: _Part, facts: Mapping[str, Json], what: str) -> None:
    differs = [name for key, name in _SAME.items() if facts.get(key) != first.info.facts.get(key)]
    if differs:
        hint = "run all shards on one commit, and merge them there"
        raise ConflictError(f"{first} and {what} do not belong together: {differs[0]} differ", hint=hint)


def _check_cases(prepared: PreparedSuite, parts: Sequence[_Part]) -> None:
    """Raises InputError unless every case is in exactly one shard."""
    where: dict[str, _Part] = {}
    hint = f"{DURATIONS} beside the suite decides the split: it must be the same for all shards"
    for part in parts:
        for name in part.file.case_names(part.info.id):
            if name in where:
                raise InputError(f"the case '{name}' is in {where[name]} and in {part}", hint=hint)
            where[name] = part
    if missing := [name for name in prepared.cases.names if name not in where]:
        are = "1 case is" if len(missing) == 1 else f"{number_of(len(missing), 'case')} are"
        raise InputError(f"{are} in no shard: {_named(map(repr, missing))}", hint=hint)


def _named(names: Iterable[str]) -> str:
    found = list(names)
    rest = len(found) - _MOST_NAMED
    return ", ".join(found[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _merged(
    project: Project, store: Store, runs: RunStore, parts: Sequence[_Part], prepared: PreparedSuite
) -> Finished:
    oldest = min((part.info for part in parts), key=lambda info: info.started)
    kept = {key: value for key, value in oldest.facts.items() if key not in ("shard", "whole_plan")}
    command = str(kept["command"]).removesuffix(f" --shard {oldest.facts['shard']}")
    facts = {**kept, **what_is_asked(project, prepared), "command": command, "shards": [part.info.id for part in parts]}
    new = runs.start_again(oldest, plan_hash(prepared, CacheMode(kept["cache"])), facts, __version__)
    copy(runs, new.id, [(part.file, part.info.id) for part in parts])
    runs.cases().keep(new.id, run_cases(prepared))
    table = table_of(prepared, runs, new.id)
    before = earlier_answers(prepared, str(facts["path"]), store, runs, new.started)
    verdicts = judge_all(prepared, table, asked_all=is_whole(prepared, table), earlier=before)
    verdicts = without_judges(project, prepared, runs, new.id, verdicts)
    if verdicts[0].result is not Result.NO_VERDICT:
        runs.finish(new.id, verdicts[0].result.value, verdicts[0].sentence)
    return Finished(runs.run(new.id), verdicts, table)


def _report(prepared: PreparedSuite, runs: RunStore, finished: Finished) -> RunReport:
    facts = finished.info.facts
    return build(prepared, runs, finished, path=str(facts["path"]), command=str(facts["command"]), notes=())


def durations(project: Project, suite: Path) -> Path:
    """Writes how long each case took in the newest finished run of a suite into the file that shards are split by.

    Raises InputError when there is no such run, or the file cannot be written.
    """
    file = project.suite_file(suite)
    loaded = load_suite(file, project.shown(file), Diagnostics())
    if loaded is None:
        raise InputError(f"{project.shown(file)} has mistakes", hint="`promptbench validate` shows them")
    with project.runs() as runs:
        cases = runs.listing().durations(runs.latest_of_suite(loaded.name, finished=True))
    path = file.parent / DURATIONS
    text = json.dumps({"schema_version": 1, "suite": loaded.name, "cases": cases}, ensure_ascii=False, indent=1)
    try:
        path.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
    return path
