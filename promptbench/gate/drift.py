"""Whether what is in production still answers as it did: this run beside an earlier one of the same version.

The same cases, the same checks, the same model; what may have changed is the model behind its name. Each case is
compared by its share of passes over the same number of first tries, then and now. Nothing but chance makes it rise or
fall where nothing has changed, so of the clusters (`gate.clusters`) that moved, each fell with probability ½: p is
P(X ≥ worse) of a binomial X of worse + better tries at ½. That is the sign test; with one try a case it is McNemar's,
exact and one-sided.

The earlier run may be the one that promoted the version. It was chosen for its result, which flatters it a little:
`tests/bench/gate_simulation.py` looks at how often an unchanged prompt is called worse.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from promptbench.core.words import percent
from promptbench.gate.clusters import clusters
from promptbench.gate.flips import CaseFlip, CaseInfo, Flip
from promptbench.gate.table import Cell, Table
from promptbench.stats.beta import binomial_at_most

DRIFT_LEVEL = 0.01
"""Smaller than that of other tests: this one is made night after night, and at 5 % it would cry wolf every month."""


@dataclass(frozen=True, slots=True)
class Drift:
    """`then` and `now` are shares of passes in [0, 1]; `since` tells of which run, such as "promoted on 2026-11-03".

    `worse` and `better` count clusters.
    """

    since: str
    then: float
    now: float
    worse: int
    better: int

    @property
    def p(self) -> float:
        """That of the claim that it got worse; 1.0 where nothing did."""
        moved = self.worse + self.better
        return binomial_at_most(moved - self.worse, moved, 0.5) if self.worse else 1.0

    @property
    def clear(self) -> bool:
        return self.p <= DRIFT_LEVEL

    def said(self) -> str:
        """Then and now in words."""
        if not (self.worse or self.better):
            return f"as when {self.since}"
        moved = f"{self.worse} worse and {self.better} better"
        p = f"p = {self.p:.3f}" if self.p >= 0.0005 else "p < 0.001"
        return f"{percent(self.now)} now, {percent(self.then)} when {self.since}, {moved} ({p})"


def drift(
    now: Table, then: Table, variant: str, model: str, cases: Iterable[CaseInfo], repeats: int, since: str
) -> Drift | None:
    """The first `repeats` tries of both at the cases that both have answers to; None where there are none."""
    pairs = []
    for case in cases:
        cells = [table.cell(variant, model, case.name).first(repeats) for table in (now, then)]
        tries = min(cell.total for cell in cells)
        if tries and not case.review_by:
            mine, theirs = (_answered(cell).first(tries) for cell in cells)
            pairs.append(CaseFlip(case, Flip.STILL_PASSING, theirs, mine))
    if not pairs:
        return None
    moves = [sum(_moved(pair) for pair in cluster) for cluster in clusters(pairs)]
    # Cells are compared over as many tries, so that their shares are too.
    tries = sum(pair.candidate.total for pair in pairs)
    was, is_now = (sum(cell.passes for cell in side) / tries for side in zip(*map(_sides, pairs), strict=True))
    return Drift(since, was, is_now, worse=sum(move < 0 for move in moves), better=sum(move > 0 for move in moves))


def _answered(cell: Cell) -> Cell:
    return Cell(bytes(code for repeat, code in enumerate(cell.codes) if cell.answered(repeat)))


def _moved(pair: CaseFlip) -> float:
    return (pair.candidate.passes - pair.champion.passes) / pair.candidate.total


def _sides(pair: CaseFlip) -> tuple[Cell, Cell]:
    return pair.champion, pair.candidate
