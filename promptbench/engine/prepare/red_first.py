"""Red first for whole suites: an answer that once was wrong must still fail the current checks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from promptbench.core.errors import Code, Diagnostics, Severity
from promptbench.core.types import Json, StoredCall
from promptbench.engine.prepare.cases import own_specs
from promptbench.engine.prepare.evaluate import Evaluation, evaluate
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite
from promptbench.suite.models import Case, Suite, WrittenCheck

ImportedCalls = Callable[[], Iterable[StoredCall]]
_Origin = tuple[str, str]  # Source and id of a call.


def check_red_first(
    prepared_suites: Sequence[PreparedSuite], found: Diagnostics, imported: ImportedCalls | None
) -> Diagnostics:
    """Return `found` with passing logged calls as errors, plus warnings for checks that no logged answer fails.

    `imported` yields the calls of captured cases: if the `was` of a case was edited, the imported answer must fail too.
    """
    diagnostics = Diagnostics()
    diagnostics.extend(replace(item, severity=Severity.ERROR) if item.code is Code.NOT_RED else item for item in found)
    for prepared in prepared_suites:
        answers = _find_imported_answers(prepared.suite, imported) if imported else {}
        _check_suite(prepared, answers, diagnostics)
    return diagnostics


def _check_suite(prepared: PreparedSuite, imported: Mapping[_Origin, str], found: Diagnostics) -> None:
    def score(answer: str, case: PreparedCase) -> Evaluation:
        checks = case.checks[prepared.candidates[0].hash]
        return evaluate(
            answer,
            checks,
            prepared.accept,
            case.variables,
            threshold=case.threshold,
            ladder=prepared.ladder,
            was=case.was,
        )

    def warn(spec: WrittenCheck, why: str) -> None:
        found.add(
            Code.VACUOUS,
            f"'{spec.name}' may be vacuous: {why}",
            spec.where.location(key=True),
            hint="`promptbench suite mutate` shows if any answer fails it",
            severity=Severity.WARNING,
        )

    shared = prepared.suite.checks
    failed_shared: set[int] = set()
    answers = 0
    for case in prepared.cases:
        scored = [score(answer, case).scores for answer in case.was]
        failed = {number for scores in scored for number, one in enumerate(scores) if not one.passed}
        failed_shared |= failed & set(range(len(shared)))
        answers += len(scored)
        if case.logged:
            continue
        written = prepared.suite.cases[case.name]
        own = own_specs(written)
        for number, spec in enumerate(own, len(shared)):
            if case.was and number not in failed and (len(own) > 1 or failed):
                warn(spec, f"the logged answer of '{case.name}' passes it")
        answer = imported.get(_read_origin(written) or ("", ""))
        if answer is None or answer in case.was:
            continue
        evaluation = score(answer, case)
        if evaluation.passed and not evaluation.errored:
            found.add(
                Code.NOT_RED,
                f"'{case.name}' comes from an imported call whose answer passes all its checks",
                written.where.location("origin"),
                hint="write the imported answer under 'was:', and add a check that fails on it",
            )
    passing = "the one logged answer passes" if answers == 1 else f"all {answers} logged answers pass"
    for number, spec in enumerate(shared):
        if answers and number not in failed_shared:
            warn(spec, f"{passing} it")


def _read_origin(case: Case) -> _Origin | None:
    origin: Json = case.where.value.get("origin")
    return (str(origin.get("source")), str(origin.get("id"))) if isinstance(origin, Mapping) else None


def _find_imported_answers(suite: Suite, imported: ImportedCalls) -> dict[_Origin, str]:
    # Return the imported answers of the calls that cases were captured from, in one pass over the store.
    origins = {origin for case in suite.cases.scan(Diagnostics()) if (origin := _read_origin(case))}
    if not origins:
        return {}
    return {
        (kept.source, kept.call.id): kept.call.answer
        for kept in imported()
        if (kept.source, kept.call.id) in origins and kept.call.answer is not None
    }
