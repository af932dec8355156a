"""What the checks of a case say of an answer, put into the attempt."""

from __future__ import annotations

from dataclasses import replace

from promptbench.core.types import Attempt, CallFacts, Outcome
from promptbench.project.bench import BASELINE, Bench, BenchCase
from promptbench.project.evaluate import evaluate


def scored(bench: Bench, case: BenchCase, attempt: Attempt) -> Attempt:
    """The attempt with its scores, whatever it had before; one that a fallback answered stays errored."""
    answer = attempt.answer
    if answer is None:
        return attempt
    facts = CallFacts(answer.provider_ms, answer.usage, attempt.cost)
    checks = case.checks[attempt.key.variant or BASELINE]
    found = evaluate(answer.text, checks, bench.accept, case.variables, facts, case.threshold)
    outcome = Outcome.PASSED if found.passed else Outcome.FAILED
    return replace(
        attempt,
        outcome=Outcome.ERRORED if attempt.fallback else outcome,
        rung=found.rung,
        well_formed=found.well_formed,
        repairs=found.repairs,
        scores=found.scores,
    )
