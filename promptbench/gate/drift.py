"""Compare a run of the production version with an earlier one of the same version, to detect a changed model.

Cases, checks and model name are the same; what may have changed is the model behind the name. Each case is compared by
its share of passes over the same number of first tries, then and now. If nothing has changed, only chance moves it, so
each of the clusters (`clusters`) that moved got worse with probability ½: p is P(X ≥ worse) of a binomial X of
worse + better tries at ½. That is the sign test; with one try a case it is McNemar's, exact and one-sided.

The earlier run may be the one that promoted the version. It was chosen for its result, which flatters it a little:
`tests/bench/gate_simulation.py` measures how often an unchanged prompt is called worse.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from promptbench.core.words import percent
from promptbench.gate.attempt_matrix import AttemptCell, AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome, ComparedCase, clusters
from promptbench.stats.exact import binomial_at_most

# Smaller than the level of other tests: this one runs every night, and at 5 % it would raise a false alarm every month.
DRIFT_LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class Drift:
    """`then` and `now` are shares of passes in [0, 1]; `since` names the earlier run, as in "promoted on 2026-11-03".

    `worse` and `better` count clusters. The field names are keys of the evidence.
    """

    since: str
    then: float
    now: float
    worse: int
    better: int

    @property
    def p(self) -> float:
        """The p of the claim that it got worse; 1.0 if nothing did."""
        moved = self.worse + self.better
        return binomial_at_most(moved - self.worse, moved, 0.5) if self.worse else 1.0

    @property
    def significant(self) -> bool:
        """True if it got worse by more than chance explains."""
        return self.p <= DRIFT_LEVEL

    def describe(self) -> str:
        """Return then and now in words."""
        if not (self.worse or self.better):
            return f"as when {self.since}"
        moved = f"{self.worse} worse and {self.better} better"
        p = f"p = {self.p:.3f}" if self.p >= 0.0005 else "p < 0.001"
        return f"{percent(self.now)} now, {percent(self.then)} when {self.since}, {moved} ({p})"


def drift(
    now: AttemptMatrix,
    then: AttemptMatrix,
    variant: str,
    model: str,
    cases: Iterable[CaseInfo],
    repeats: int,
    since: str,
) -> Drift | None:
    """Compare the first `repeats` tries at the cases that both runs have answers to; None if there are none."""
    pairs = []
    for case in cases:
        cells = [table.cell(variant, model, case.name).first(repeats) for table in (now, then)]
        tries = min(cell.total for cell in cells)
        if tries and not case.review_by:
            mine, theirs = (_answered(cell).first(tries) for cell in cells)
            pairs.append(ComparedCase(case, CaseOutcome.STILL_PASSING, theirs, mine))
    if not pairs:
        return None
    moves = [sum(_moved(pair) for pair in cluster) for cluster in clusters(pairs)]
    # Both cells of a pair have equally many tries, so their shares have one denominator.
    tries = sum(pair.candidate.total for pair in pairs)
    before, after = (sum(pair.champion.passes for pair in pairs), sum(pair.candidate.passes for pair in pairs))
    worse, better = sum(move < 0 for move in moves), sum(move > 0 for move in moves)
    return Drift(since, before / tries, after / tries, worse=worse, better=better)


def _answered(cell: AttemptCell) -> AttemptCell:
    return AttemptCell(bytes(code for repeat, code in enumerate(cell.codes) if cell.answered(repeat)))


def _moved(pair: ComparedCase) -> float:
    return (pair.candidate.passes - pair.champion.passes) / pair.candidate.total
