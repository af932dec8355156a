"""What became of every case with every prompt on every model: read from the record while a report is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptbench.core.diagnostics import Location
from promptbench.core.types import Attempt, Outcome, Side
from promptbench.gate.flips import Flip
from promptbench.gate.judge import Verdict
from promptbench.project.bench import BASELINE, PreparedModel, PreparedSuite, Variant
from promptbench.project.cases import as_answer
from promptbench.report.model import CaseResult
from promptbench.stats.beta import clopper_pearson
from promptbench.store.runs import RunStore

PASSING = "passing"


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a run, as often as they are iterated over. One case is in memory at a time."""

    prepared: PreparedSuite
    record: Path
    run: str
    verdict: Verdict

    def __iter__(self) -> Iterator[CaseResult]:
        with RunStore(self.record) as runs:
            for model in self.prepared.models:
                states = self._states(model.name)
                variants: Sequence[Variant | None] = self.prepared.variants if model.uses_prompt else (None,)
                for name in self.prepared.cases.names:
                    written = _Written.of(self.prepared, name)
                    for variant in variants:
                        tagged = variant.hash if variant else BASELINE
                        attempts = runs.attempts_at(self.run, tagged, model.name, name)
                        judged = tagged == self.verdict.candidate
                        yield _result(written, model, variant, attempts, states.get(name, "") if judged else None)

    def _states(self, model: str) -> dict[str, str]:
        """The gate's word for each case of the judged candidate; where it compared nothing, for those in quarantine."""
        judged = (item for verdict in self.verdict.models if verdict.model == model for item in verdict.flips)
        apart = dict.fromkeys(self.prepared.cases.quarantined, Flip.QUARANTINED.value)
        return apart | {item.case.name: item.flip.value for item in judged}


@dataclass(frozen=True, slots=True)
class _Written:
    """A case as its author wrote it."""

    name: str
    location: Location
    expected: str | None
    tags: tuple[str, ...]
    critical: bool
    logged: bool
    cluster: str | None

    @classmethod
    def of(cls, prepared: PreparedSuite, name: str) -> _Written:
        suite, critical, logged = prepared.suite, name in prepared.cases.critical, name in prepared.cases.with_log
        if name not in suite.cases.numbers:
            case = prepared.cases[name]
            return cls(name, suite.location(("log",)), None, case.tags, critical, logged, case.cluster)
        written = suite.cases[name]
        expected = as_answer(written.expect) if written.has_expect else None
        return cls(name, written.where.location("case"), expected, written.tags, critical, logged, written.cluster)


def expected_of(prepared: PreparedSuite, name: str) -> str | None:
    """What stands under a case's `expect:`, as an answer; None where nothing does."""
    return None if name not in prepared.suite.cases.numbers else _Written.of(prepared, name).expected


def interval_of(passed: int, attempts: int) -> tuple[float, float] | None:
    """The exact 95 % interval of a pass rate; None of a single attempt, which is a fact and no rate."""
    return clopper_pearson(passed, attempts) if attempts > 1 else None


def _result(
    written: _Written, model: PreparedModel, variant: Variant | None, attempts: Sequence[Attempt], state: str | None
) -> CaseResult:
    """`state` is the gate's word, empty where it has none; None of a prompt that the verdict is not about."""
    answered = [item for item in attempts if item.outcome in (Outcome.PASSED, Outcome.FAILED)]
    failed = [item for item in answered if item.outcome is Outcome.FAILED]
    shown = next(iter(failed or answered or attempts), None)
    own = PASSING if answered and not failed else Flip.FAILING.value if failed else Flip.NO_ANSWER.value
    costs = [item.cost for item in attempts if item.answer is not None]
    return CaseResult(
        case=written.name,
        model=model.name,
        gated=model.gated,
        prompt=variant.label.removesuffix(".prompt") if variant else "",
        side=variant.side.value if variant else Side.BASELINE.value,
        judged=state is not None,
        state=state or own,
        critical=written.critical,
        logged=written.logged,
        tags=written.tags,
        file=written.location.path,
        line=written.location.line,
        expected=written.expected,
        attempts=len(answered),
        passed=len(answered) - len(failed),
        errored=sum(item.outcome is Outcome.ERRORED for item in attempts),
        answer=shown.answer.text if shown and shown.answer and shown.fallback is None else None,
        reasons=shown.reasons if shown else (),
        error=next((item.error for item in attempts if item.error), None),
        rung=shown.rung.value if shown and shown.rung else None,
        provider_ms=sum(item.answer.provider_ms for item in attempts if item.answer and not item.cached),
        cost=None if None in costs else sum(cost for cost in costs if cost is not None),
        interval=interval_of(len(answered) - len(failed), len(answered)),
        cluster=written.cluster,
    )
