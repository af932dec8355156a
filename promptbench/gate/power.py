"""What a run could tell, before anything is asked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

from promptbench.core.words import number_of, percent
from promptbench.gate.flips import is_break, is_stable
from promptbench.gate.margin import FEWEST
from promptbench.gate.policy import AUTO, LEVEL, TRIES, Policy
from promptbench.gate.sentence import fine_percent
from promptbench.stats.exact import excluded_rate, guards_needed
from promptbench.stats.paired import Paired

_HALVED = 0.5
_STEADIER = 5
"""The repeats that are advised where the usual ones see too little."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The probability that a case is called broken, and that it is at least unstable, after so many `repeats`."""

    repeats: int
    broken: float
    unstable: float


def seen(repeats: int, rate: float = _HALVED) -> Seen:
    """How a guard that production always passes, and the candidate with `rate`, comes out of the K + 8 tries.

    Exactly: over all numbers of failures among the first K tries, none of which is a guard that holds, and among the
    8 that follow.
    """
    total = repeats + TRIES
    broken = unstable = 0.0
    for first in range(1, repeats + 1):
        for later in range(TRIES + 1):
            passes = total - first - later
            ways = comb(repeats, first) * comb(TRIES, later)
            chance = ways * rate**passes * (1 - rate) ** (first + later)
            if is_break(total, total, passes, total):
                broken += chance
            elif not is_stable(passes, total):
                unstable += chance
    return Seen(repeats, broken, unstable)


def guards_for(margin: float, unsteady: int = 0) -> int:
    """How many guards a margin takes where so many are unstable and no other differs."""
    steady = bisect_left(range(1_000_000), True, lo=2, key=lambda n: Paired(n, 0.0, 0.0).p_above(-margin) <= LEVEL)
    return max(FEWEST, steady, guards_needed(margin, broken=unsteady))


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of a suite's gate with so many cases: what its margins take, and what it could see.

    `takes` is the number of guards for the gate's margin, and with one of them unstable; None without a margin.
    `halved` says how a case that begins to fail half of the time would come out, and with more repeats; None on models
    that always answer the same, where one attempt shows a break. `critical` is the same for a `critical` case, and None
    too where there is none. Cases that belong together count as one, those in quarantine not at all.
    """

    cases: int
    margin: float | None
    takes: tuple[int, int] | None
    excludes: float
    halved: tuple[Seen, Seen] | None
    critical: Seen | None = None

    @classmethod
    def of(cls, cases: int, policy: Policy, *, deterministic: bool) -> Outlook:
        margin = None if policy.margin == AUTO else float(policy.margin)
        return cls(
            cases,
            margin,
            (guards_for(margin), guards_for(margin, 1)) if margin else None,
            excluded_rate(cases),
            None if deterministic else (seen(policy.repeats), seen(max(_STEADIER, policy.repeats + 2))),
            None if deterministic or not policy.critical_repeats else seen(policy.screen(critical=True)),
        )

    @property
    def missing(self) -> int:
        """How many cases the margin takes more than there are."""
        return max(0, self.takes[0] - self.cases) if self.takes else 0

    def lines(self) -> Iterator[str]:
        """The same in words."""
        yield self._guards()
        if self.halved is None:
            yield "each case is asked once: the model always answers the same, so a break is seen"
            return
        now, steadier = self.halved
        yield (
            f"a case that begins to fail half of the time is called broken in {percent(now.broken)} of runs and "
            f"unstable in {percent(now.unstable)}; with 'repeats: {steadier.repeats}' in {percent(steadier.broken)} "
            f"and {percent(steadier.unstable)}"
        )
        if self.critical:
            held = percent(self.critical.broken + self.critical.unstable)
            yield (
                f"a critical case is asked {self.critical.repeats} times at first; halved, it is called broken in "
                f"{percent(self.critical.broken)} of runs, and nothing passes in {held}"
            )
        yield f"a case that fails is tried up to {TRIES} times more with either prompt"

    def _guards(self) -> str:
        if self.margin is not None and self.takes is not None:
            fewest, with_one = self.takes
            said = (
                f"margin {fine_percent(self.margin)} takes {fewest} guards that hold, {with_one} where one is unstable"
            )
            return said + (f": {number_of(self.missing, 'more case')} at the least" if self.missing else "")
        said = f"{number_of(self.cases, 'case')} that hold exclude a break rate above {percent(self.excludes)}"
        goal = next((goal for goal in (0.10, 0.05, 0.02, 0.01) if goal < self.excludes - 0.005), None)
        return said + (f", {guards_needed(goal) - self.cases} more one above {percent(goal)}" if goal else "")
