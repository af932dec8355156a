"""How many candidates a suite has judged, one after the other."""

from __future__ import annotations

from promptbench.core.words import percent
from promptbench.gate.policy import LEVEL
from promptbench.project.bench import PreparedSuite
from promptbench.store.runs import RunStore

_MANY = 5
"""From so many on a chance hit is likelier than one in five."""


def many_tries(prepared: PreparedSuite, runs: RunStore) -> list[str]:
    """A note where so many candidates met the version in production that one may pass by chance; else none.

    A promotion changes what is in production, so it starts the count anew.
    """
    if prepared.champion is None:
        return []
    count = len(runs.candidates_against(prepared.suite.name, prepared.champion.hash))
    if count < _MANY:
        return []
    chance = percent(1 - (1 - LEVEL) ** count)
    return [
        f"{count} candidates were judged by this suite against {prepared.champion.label}: the chance that a test at "
        f"{percent(LEVEL)} passes one of them without merit is up to {chance}; add cases that none of them has seen"
    ]
