"""Red first for whole suites: an answer that once was wrong must still fail the current checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.types import Json, StoredCall
from promptbench.engine.prepare.evaluate import Evaluation, evaluate
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite
from promptbench.suite.models import Case, Suite, WrittenCheck

ImportedCalls = Callable[[], Iterable[StoredCall]]


def check_red_first(
    prepared_suites: Sequence[PreparedSuite], found: Diagnostics, imported: ImportedCalls | None
) -> Diagnostics:
    """Return `found` with passing logged calls as errors, plus warnings for checks that no logged answer fails.

    `imported` yields the calls of captured cases: if the `was` of a case was edited, the imported answer must fail too.
    """
    diagnostics = Diagnostics()
    diagnostics.extend(replace(item, severity=Severity.ERROR) if item.code is Code.NOT_RED else item for item in found)
    for prepared in prepared_suites:
        _RedFirstCheck(prepared, imported, diagnostics).run()
    return diagnostics


class _RedFirstCheck:
    def __init__(self, prepared: PreparedSuite, imported: ImportedCalls | None, diagnostics: Diagnostics) -> None:
        self._prepared = prepared
        self._imported = _find_imported_answers(prepared.suite, imported) if imported else {}
        self._diagnostics = diagnostics
        self._failed_checks: set[int] = set()
        self._answers = 0

    def run(self) -> None:
        prepared = self._prepared
        shared = len(prepared.suite.checks)
        for case in prepared.cases:
            written = None if case.logged else prepared.suite.cases[case.name]
            scored = [self._evaluate(answer, case).scores for answer in case.was]
            failed = {number for scores in scored for number, score in enumerate(scores) if not score.passed}
            self._answers += len(scored)
            self._failed_checks |= {number for number in failed if number < shared}
            if written is None:
                continue
            if case.was:
                own = _list_own_checks(written)
                idle = [spec for number, spec in enumerate(own, shared) if number not in failed]
                for spec in idle if len(own) > 1 or failed else ():
                    self._warn_vacuous(
                        spec.name, spec.where.location(key=True), f"the logged answer of '{case.name}' passes it"
                    )
            self._check_imported(case, written)
        if self._answers:
            count = self._answers
            answers = "the one logged answer passes" if count == 1 else f"all {count} logged answers pass"
            for number, spec in enumerate(prepared.suite.checks):
                if number not in self._failed_checks:
                    self._warn_vacuous(spec.name, spec.where.location(key=True), f"{answers} it")

    def _evaluate(self, answer: str, case: PreparedCase) -> Evaluation:
        prepared = self._prepared
        return evaluate(
            answer,
            case.checks[self._prepared.candidates[0].hash],
            prepared.accept,
            case.variables,
            threshold=case.threshold,
            ladder=prepared.ladder,
        )

    def _warn_vacuous(self, name: str, location: Location, why: str) -> None:
        self._diagnostics.add(
            Code.VACUOUS,
            f"'{name}' may be vacuous: {why}",
            location,
            hint="`promptbench mutate` shows if any answer fails it",
            severity=Severity.WARNING,
        )

    def _check_imported(self, case: PreparedCase, written: Case) -> None:
        answer = self._imported.get(_read_origin(written) or ("", ""))
        if answer is None or answer in case.was:
            return
        found = self._evaluate(answer, case)
        if found.passed and not found.errored:
            self._diagnostics.add(
                Code.NOT_RED,
                f"'{case.name}' comes from an imported call whose answer passes all its checks",
                written.where.location("origin"),
                hint="write the imported answer under 'was:', and add a check that fails on it",
            )


def _list_own_checks(case: Case) -> list[WrittenCheck]:
    expect = [WrittenCheck("expect", case.expect, case.where.below("expect"))] if case.has_expect else []
    return [*case.checks, *expect]


def _read_origin(case: Case) -> tuple[str, str] | None:
    origin: Json = case.where.value.get("origin")
    return (str(origin.get("source")), str(origin.get("id"))) if isinstance(origin, Mapping) else None


def _find_imported_answers(suite: Suite, imported: ImportedCalls) -> dict[tuple[str, str], str]:
    # Return the imported answers of the calls that cases were captured from, in one pass over the store.
    origins = {origin for case in suite.cases.scan(Diagnostics()) if (origin := _read_origin(case))}
    if not origins:
        return {}
    return {
        (kept.source, kept.call.id): kept.call.answer
        for kept in imported()
        if (kept.source, kept.call.id) in origins and kept.call.answer is not None
    }
