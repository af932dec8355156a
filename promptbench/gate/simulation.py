"""Simulate runs, to measure how the gate judges them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from promptbench.core.types import Attempt, AttemptKey, Outcome
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo, needed_repeats
from promptbench.gate.policy import Policy

# Takes a prompt and a case, returns True if the next answer passes.
Draw = Callable[[str, str], bool]


def independent_draws(rates: Mapping[str, Mapping[str, float]], chance: random.Random) -> Draw:
    """Return independent draws, each with the pass rate of its prompt and case."""
    return lambda variant, case: chance.random() < rates[variant][case]


def simulate_run(
    draw: Draw, champion: str, candidates: Sequence[str], model: str, cases: Sequence[CaseInfo], policy: Policy
) -> AttemptMatrix:
    """Return a run of one model that is not deterministic: the first round, and the retries that the gate needs."""
    table = AttemptMatrix()

    def fill(variant: str, case: str, repeats: int) -> None:
        for repeat in range(len(table.cell(variant, model, case).codes), repeats):
            table.add(_attempt(variant, model, case, repeat, passed=draw(variant, case)))

    for variant in dict.fromkeys((champion, *candidates)):
        for case in cases:
            fill(variant, case.name, policy.screen(critical=case.critical))
    for candidate in candidates:
        for needed in list(needed_repeats(table, champion, candidate, model, cases, policy)):
            fill(needed.variant, needed.case, needed.repeats)
    return table


@lru_cache(maxsize=65_536)
def _attempt(variant: str, model: str, case: str, repeat: int, *, passed: bool) -> Attempt:
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    return Attempt(AttemptKey(variant, model, case, repeat), outcome, request_hash="")
