"""Back-test a repair rule on logged answers before it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from promptbench.checks import expect
from promptbench.core.canonical import canonical, digest
from promptbench.core.diagnostics import Diagnostics, suggest
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.protocols import CheckContext, Subject
from promptbench.core.python_process import FunctionFailure
from promptbench.core.types import Json, Rung
from promptbench.engine.prepare.repair_rules import RepairRule, record_of, stability_problem, verdict_of
from promptbench.ingest.files.log_paths import LogFiles
from promptbench.parsing.ladder import BUILT_IN, Ladder
from promptbench.project import Project
from promptbench.suite.loader import load as load_suite
from promptbench.workflows.trust.repairs import BacktestFinding, BacktestReport

_UNKNOWN = object()
_MOST_SHOWN = 20


class _Answer(NamedTuple):
    source: str
    text: str
    expected: Json


def backtest(project: Project, name: str, logs: Sequence[Path], suites: Sequence[Path]) -> BacktestReport:
    """Replay answers with the rule `name`, and record the counts for the rule's hash.

    Args:
        logs: log files of any format that `import` reads.
        suites: suites whose logged answers (`was`) and newest run are replayed.

    Raises:
        InputError: the rule is unknown, or a file cannot be read.
        NothingSelected: nothing can be replayed.
    """
    rules = {rule.name: rule for rule in project.repair_rules}
    if name not in rules:
        known = f"known are {', '.join(rules)}" if rules else "the setting 'repairs' lists their files"
        raise InputError(f"unknown repair rule '{name}'", hint=suggest(name, rules, known))
    rule = rules[name]
    counts = dict.fromkeys(("rescued", "wrong", "failed", "unchanged"), 0)
    findings: list[BacktestFinding] = []
    seen: set[str] = set()
    for answer in chain(_logged(logs), *(_of_suite(project, path) for path in suites)):
        identity = digest([answer.text, None if answer.expected is _UNKNOWN else [answer.expected]])
        if identity in seen:
            continue
        seen.add(identity)
        outcome, reason = _replayed(rule, answer)
        counts[outcome] += 1
        if outcome in ("wrong", "failed") and len(findings) < _MOST_SHOWN:
            findings.append(BacktestFinding(answer.source, outcome, reason))
    if not seen:
        raise NothingSelected("no answer to replay", hint="name a log with --log or a suite with --suite")
    rule.record.parent.mkdir(exist_ok=True)
    sources = [project.shown(path) for path in (*logs, *suites)]
    rule.record.write_text(record_of(rule, counts, sources), encoding="utf-8", newline="\n")
    advisory = verdict_of(counts["rescued"], counts["wrong"], counts["failed"])
    return BacktestReport(rule.name, rule.trust, rule.hash, **counts, advisory=advisory, findings=findings)


def _logged(logs: Sequence[Path]) -> Iterator[_Answer]:
    for file, call in LogFiles([str(path) for path in logs]).read() if logs else ():
        if call.answer is not None:
            expected = call.expected if call.expected is not None else call.extra.get("expected", _UNKNOWN)
            yield _Answer(f"{Path(file).name}#{call.id}", call.answer, expected)


def _of_suite(project: Project, path: Path) -> Iterator[_Answer]:
    file, found = project.suite_file(path), Diagnostics()
    suite = load_suite(file, project.shown(file), found)
    if suite is None:
        raise InputError(f"{project.shown(file)} is not a valid suite", diagnostics=found)
    expected: dict[str, Json] = {}
    for case in suite.cases.scan(found):
        wish = case.should_be if case.has_wish else _UNKNOWN
        expected[case.name] = case.expect if case.has_expect else wish
        if case.was is not None:
            yield _Answer(f"{case.name} (was)", case.was, expected[case.name])
    with project.recordings() as runs:
        if runs is None or suite.name not in runs.suites():
            return
        for attempt in runs.attempts(runs.latest_of_suite(suite.name)):
            if attempt.answer is not None:
                name = attempt.key.case
                yield _Answer(f"{name} ({attempt.key.model})", attempt.answer.text, expected.get(name, _UNKNOWN))


def _replayed(rule: RepairRule, answer: _Answer) -> tuple[str, str]:
    """Return `rescued`, `wrong`, `failed` or `unchanged`, and the reason for the second and third."""
    text = answer.text
    try:
        repaired = rule.apply(text)
        if repaired is None:
            return "unchanged", ""
        if (problem := stability_problem(rule, text, repaired)) is not None:
            return "failed", problem
    except FunctionFailure as failure:
        return "failed", str(failure)
    before = BUILT_IN.read(text)
    if before.rung.within(Rung.REPAIRED_SAFE):
        # The ladder never tries the rule here, but the answer's meaning is known, so it shows if the rule keeps it.
        after = BUILT_IN.read(repaired)
        difference = _difference(before.value, after.value)
        return ("wrong", difference) if difference else ("unchanged", "")
    after = Ladder((rule.as_rule(),)).read(text)
    if after == before:
        return "unchanged", ""
    if answer.expected is not _UNKNOWN:
        wrong = _expectation_problem(answer.expected, after.value)
        return ("wrong", wrong) if wrong else ("rescued", "")
    difference = _difference(before.value, after.value) if before.rung is not Rung.NONE else ""
    return ("wrong", difference) if difference else ("rescued", "")


def _difference(before: Json, after: Json) -> str:
    without, with_rule = canonical(before), canonical(after)
    return "" if without == with_rule else f"it reads as {with_rule[:200]}, without the rule as {without[:200]}"


def _expectation_problem(expected: Json, value: Json) -> str:
    """Return why a value is not what was expected, as the check `expect` sees it; empty if it is."""
    wanted = BUILT_IN.read(expected) if isinstance(expected, str) else None
    if wanted is not None and wanted.rung is not Rung.NONE:
        expected = wanted.value
    text = value if isinstance(value, str) else canonical(value)
    try:
        check = expect.build(expected, CheckContext(Path()))
    except ValueError:
        return ""  # Written for another purpose, so the right answer is not known.
    return check.score(Subject(text, lambda: BUILT_IN.read(canonical(value)), Rung.RAW, {})).reason
