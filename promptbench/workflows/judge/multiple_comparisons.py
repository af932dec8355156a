"""Warn about multiple comparisons: candidates that one suite judged one after the other."""

from __future__ import annotations

from promptbench.core.words import percent
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.policy import LEVEL
from promptbench.store.runs import RunStore

# From this number on a candidate passes by chance in more than one of five cases.
_MANY = 5


def multiple_comparison_notes(prepared: PreparedSuite, runs: RunStore) -> list[str]:
    """Return a note if so many candidates were compared with the production version that one may pass by chance.

    A promotion changes the production version, so it restarts the count.
    """
    count = len(runs.candidates_against(prepared.suite.name, prepared.champion.hash)) if prepared.champion else 0
    if prepared.champion is None or count < _MANY:
        return []
    chance = percent(1 - (1 - LEVEL) ** count)
    return [
        f"{count} candidates were judged by this suite against {prepared.champion.label}: the chance that a test at "
        f"{percent(LEVEL)} passes one of them without merit is up to {chance}; add cases that none of them has seen"
    ]
