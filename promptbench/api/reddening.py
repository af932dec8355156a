"""Red first over whole suites: what once was wrong must still fail, by the checks as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.types import Json
from promptbench.project.bench import PreparedCase, PreparedSuite
from promptbench.project.evaluate import Evaluation, evaluate
from promptbench.store.calls import CallStore
from promptbench.suite.models import Case, CheckSpec, Suite


def red_first(prepared_suites: Sequence[PreparedSuite], found: Diagnostics, imported: CallStore | None) -> Diagnostics:
    """What was found, with a logged call that passes as an error, and with what only a look at all answers shows.

    `imported` has the calls that captured cases come from: a case whose `was` was edited is still held to what came
    back then.
    """
    told = Diagnostics()
    told.extend(replace(item, severity=Severity.ERROR) if item.code is Code.NOT_RED else item for item in found)
    for prepared in prepared_suites:
        _Look(prepared, imported, told).take()
    return told


class _Look:
    def __init__(self, prepared: PreparedSuite, imported: CallStore | None, told: Diagnostics) -> None:
        self._prepared = prepared
        self._imported = _answers(prepared.suite, imported) if imported else {}
        self._told = told
        self._failed: set[int] = set()
        self._seen = 0

    def take(self) -> None:
        prepared = self._prepared
        shared = len(prepared.suite.checks)
        for case in prepared.cases:
            written = None if case.logged else prepared.suite.cases[case.name]
            failed = {number for answer in case.was for number in self._failing(answer, case)}
            self._failed |= {number for number in failed if number < shared}
            if written is None:
                continue
            if case.was:
                own = _own(written)
                idle = [spec for number, spec in enumerate(own, shared) if number not in failed]
                for spec in idle if len(own) > 1 or failed else ():
                    self._vacuous(
                        spec.name, spec.where.location(key=True), f"the logged answer of '{case.name}' passes it"
                    )
            self._check_imported(case, written)
        if self._seen:
            answers = "the one logged answer passes" if self._seen == 1 else f"all {self._seen} logged answers pass"
            for number, spec in enumerate(prepared.suite.checks):
                if number not in self._failed:
                    self._vacuous(spec.name, spec.where.location(key=True), f"{answers} it")

    def _failing(self, answer: str, case: PreparedCase) -> set[int]:
        self._seen += 1
        scores = self._evaluated(answer, case).scores
        return {number for number, score in enumerate(scores) if not score.passed}

    def _evaluated(self, answer: str, case: PreparedCase) -> Evaluation:
        checks = case.checks[self._prepared.candidates[0].hash]
        return evaluate(answer, checks, self._prepared.accept, case.variables, threshold=case.threshold)

    def _vacuous(self, name: str, location: Location, why: str) -> None:
        message = f"'{name}' may be vacuous: {why}"
        hint = "`promptbench mutate` says whether anything fails it"
        self._told.add(Code.VACUOUS, message, location, hint=hint, severity=Severity.WARNING)

    def _check_imported(self, case: PreparedCase, written: Case) -> None:
        answer = self._imported.get(_origin(written) or ("", ""))
        if answer is None or answer in case.was:
            return
        found = self._evaluated(answer, case)
        if found.passed and not found.errored:
            message = f"'{case.name}' comes from an imported call whose answer passes all its checks"
            hint = "write the answer that came back under 'was:', and a check that fails on it"
            self._told.add(Code.NOT_RED, message, written.where.location("origin"), hint=hint)


def _own(case: Case) -> list[CheckSpec]:
    """The case's own checks, in the order in which they score."""
    expect = [CheckSpec("expect", case.expect, case.where.below("expect"))] if case.has_expect else []
    return [*case.checks, *expect]


def _origin(case: Case) -> tuple[str, str] | None:
    """Source and id of the call that a case was captured from."""
    origin: Json = case.where.value.get("origin")
    return (str(origin.get("source")), str(origin.get("id"))) if isinstance(origin, Mapping) else None


def _answers(suite: Suite, imported: CallStore) -> dict[tuple[str, str], str]:
    """The imported answers of the calls that cases were captured from, in one pass over the record."""
    wanted = {origin for case in suite.cases.scan(Diagnostics()) if (origin := _origin(case))}
    if not wanted:
        return {}
    return {
        (kept.source, kept.call.id): kept.call.answer
        for kept in imported.find()
        if (kept.source, kept.call.id) in wanted and kept.call.answer is not None
    }
