"""Warn about multiple comparisons: candidates that one suite judged one after the other."""

from __future__ import annotations

from promptbench.core.words import percent
from promptbench.engine.prepare.prepared_suite import Bench
from promptbench.gate.policy import LEVEL
from promptbench.store.runs import RunStore

# From this number on a candidate passes by chance in more than one of five cases.
_MANY = 5


def multiple_comparison_notes(bench: Bench, runs: RunStore) -> list[str]:
    """Return a note if so many candidates were compared with the production version that one may pass by chance.

    A promotion changes the production version, so it restarts the count.
    """
    count = len(runs.candidates_against(bench.suite.name, bench.champion.hash)) if bench.champion else 0
    if bench.champion is None or count < _MANY:
        return []
    chance = percent(1 - (1 - LEVEL) ** count)
    return [
        f"{count} candidates were judged by this suite against {bench.champion.label}: the chance that a test at "
        f"{percent(LEVEL)} passes one of them without merit is up to {chance}; add cases that none of them has seen"
    ]
