"""Runs that are drawn instead of asked, so that it can be seen how the gate judges them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from promptbench.core.types import Attempt, AttemptKey, Outcome
from promptbench.gate.flips import CaseInfo, wanted
from promptbench.gate.policy import Policy
from promptbench.gate.table import Table

Draw = Callable[[str, str], bool]
"""Whether the next answer with a prompt to a case passes."""


def draws(rates: Mapping[str, Mapping[str, float]], chance: random.Random) -> Draw:
    """Answers that are independent of each other, each with the rate of its prompt and case."""
    return lambda variant, case: chance.random() < rates[variant][case]


def drawn(
    draw: Draw, champion: str, candidates: Sequence[str], model: str, cases: Sequence[CaseInfo], policy: Policy
) -> Table:
    """A run of one model that is not deterministic: the first round, and all that the gate wants besides."""
    table = Table()

    def ask(variant: str, case: str, repeats: int) -> None:
        for repeat in range(len(table.cell(variant, model, case).codes), repeats):
            table.add(_attempt(variant, model, case, repeat, passed=draw(variant, case)))

    for variant in dict.fromkeys((champion, *candidates)):
        for case in cases:
            ask(variant, case.name, policy.screen(critical=case.critical))
    for candidate in candidates:
        for want in list(wanted(table, champion, candidate, model, cases, policy)):
            ask(want.variant, want.case, want.repeats)
    return table


@lru_cache(maxsize=65_536)
def _attempt(variant: str, model: str, case: str, repeat: int, *, passed: bool) -> Attempt:
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    return Attempt(AttemptKey(variant, model, case, repeat), outcome, request_hash="")
