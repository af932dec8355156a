"""Simulate runs, to measure how the gate judges them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from promptbench.core.types import Attempt, AttemptKey, Outcome
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.candidates import smallest_level
from promptbench.gate.case_outcomes import CaseInfo, PromptPair
from promptbench.gate.policy import Policy
from promptbench.gate.trial import NO_RECORD, LookRecord

# Takes a prompt and a case, returns True if the next answer passes.
Draw = Callable[[str, str], bool]


def independent_draws(rates: Mapping[str, Mapping[str, float]], chance: random.Random) -> Draw:
    """Return independent draws, each with the pass rate of its prompt and case."""
    return lambda variant, case: chance.random() < rates[variant][case]


def simulate_run(
    draw: Draw,
    champion: str,
    candidates: Sequence[str],
    model: str,
    cases: Sequence[CaseInfo],
    policy: Policy,
    *,
    record: LookRecord = NO_RECORD,
    table: AttemptMatrix | None = None,
) -> AttemptMatrix:
    """Return a run of one model that is not deterministic: the screen, then the stages that the gate needs.

    With a `table` that run is continued, as far as the looks of `record` need it.
    """
    table, holm = table or AttemptMatrix(), smallest_level(len(candidates))

    def fill(variant: str, case: str, tries: int) -> None:
        for repeat in range(len(table.cell(variant, model, case).codes), tries):
            table.add(_attempt(variant, model, case, repeat, passed=draw(variant, case)))

    for variant in dict.fromkeys((champion, *candidates)):
        for case in cases:
            fill(variant, case.name, policy.screen(critical=case.critical))
    open_ones = list(candidates)
    while open_ones:
        for candidate in list(open_ones):
            needed = PromptPair(
                table, champion, candidate, model, cases, policy, record=record, holm=holm
            ).needed_tries()
            for name, tries in needed.items():
                fill(champion, name, tries)
                fill(candidate, name, tries)
            if not needed:
                open_ones.remove(candidate)
    return table


@lru_cache(maxsize=65_536)
def _attempt(variant: str, model: str, case: str, repeat: int, *, passed: bool) -> Attempt:
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    return Attempt(AttemptKey(variant, model, case, repeat), outcome, request_hash="")
