"""What a run could tell, before anything is asked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import comb
from types import MappingProxyType

from promptbench.core.words import number_of, percent
from promptbench.gate.flips import is_break, is_stable
from promptbench.gate.margin import FEWEST, MOST_REPEATS
from promptbench.gate.odds import ASSUMED_RATE, WISHED, guards_to_keep, odds_to_keep
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
class Passing:
    """The share of tries that production passes of cases that it mostly passes; `day` is that of the calibration which
    says so, in ISO 8601, and empty where nobody does.
    """

    rate: float = ASSUMED_RATE
    day: str = ""


@dataclass(frozen=True, slots=True)
class MarginOutlook:
    """What a margin, the gate's or a tag's, takes of a suite with so many cases that it is about.

    `takes` is the number of guards that hold, and with one of them unstable. `kept` is the probability that the cases
    there are keep the margin where nothing changes; in `gate.odds.WISHED` of runs `enough` cases do, and those there
    are with `repeats`; None where no number does, where it is not needed, and on models that always answer the same.
    """

    margin: float
    about: str
    cases: int
    takes: tuple[int, int]
    kept: float | None = None
    enough: int | None = None
    repeats: int | None = None

    @classmethod
    def of(
        cls, margin: float, about: str, cases: int, policy: Policy, rate: float, *, deterministic: bool
    ) -> MarginOutlook:
        takes = guards_for(margin), guards_for(margin, 1)
        if deterministic:
            return cls(margin, about, cases, takes)
        kept = odds_to_keep(cases, margin, policy.repeats, rate)
        if kept >= WISHED:
            return cls(margin, about, cases, takes, kept)
        more = range(policy.repeats + 1, MOST_REPEATS + 1)
        repeats = next((count for count in more if odds_to_keep(cases, margin, count, rate) >= WISHED), None)
        return cls(margin, about, cases, takes, kept, guards_to_keep(margin, policy.repeats, rate), repeats)

    @property
    def missing(self) -> int:
        """How many cases the margin takes more than there are."""
        return max(0, self.takes[0] - self.cases)

    def lines(self, passing: Passing) -> Iterator[str]:
        """The same in words."""
        fewest, with_one = self.takes
        margin = f"margin {fine_percent(self.margin)}{self.about}"
        said = f"{margin} takes {fewest} guards that hold, {with_one} where one is unstable"
        yield said + (f": {number_of(self.missing, 'more case')} at the least" if self.missing else "")
        if self.kept is None:
            return
        rate = f"where production passes {fine_percent(passing.rate)} of tries"
        rate += f", as in the calibration of {passing.day}" if passing.day else " (`promptbench calibrate` measures it)"
        if self.kept >= WISHED:
            yield f"{rate}, a harmless change keeps it in {percent(self.kept)} of runs"
            return
        ways = [f"with {self.enough:,} cases"] if self.enough else []
        ways += [f"with 'repeats: {self.repeats}'"] if self.repeats else []
        wished = f"in {percent(WISHED)} {' or '.join(ways)}" if ways else "and steadier cases are the cure"
        yield f"{rate}, a harmless change keeps it in {percent(self.kept)} of runs, {wished}"


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of a suite's gate with so many cases: what its margins take, and what it could see.

    `halved` says how a case that begins to fail half of the time would come out, and with more repeats; None on models
    that always answer the same, where one attempt shows a break. `critical` is the same for a `critical` case, and None
    too where there is none. Cases that belong together count as one, those in quarantine not at all.
    """

    cases: int
    margins: tuple[MarginOutlook, ...]
    passing: Passing
    excludes: float
    halved: tuple[Seen, Seen] | None
    critical: Seen | None = None

    @classmethod
    def of(
        cls,
        cases: int,
        policy: Policy,
        *,
        deterministic: bool,
        tagged: Mapping[str, int] = MappingProxyType({}),
        passing: Passing | None = None,
    ) -> Outlook:
        """`tagged` is how many cases there are with each tag that the policy names."""
        passing = passing or Passing()
        asked = [] if policy.margin == AUTO else [(float(policy.margin), "", cases)]
        for tag, wants in policy.tags.items():
            if wants.margin is not None:
                asked.append((wants.margin, f" of '{tag}'", tagged.get(tag, 0)))
        return cls(
            cases,
            tuple(MarginOutlook.of(*item, policy, passing.rate, deterministic=deterministic) for item in asked),
            passing,
            excluded_rate(cases),
            None if deterministic else (seen(policy.repeats), seen(max(_STEADIER, policy.repeats + 2))),
            None if deterministic or not policy.critical_repeats else seen(policy.screen(critical=True)),
        )

    @property
    def missing(self) -> int:
        """How many cases the margins take more than there are, if each of the new ones is of every tag."""
        return max((margin.missing for margin in self.margins), default=0)

    def lines(self) -> Iterator[str]:
        """The same in words."""
        for margin in self.margins:
            yield from margin.lines(self.passing)
        if not any(not margin.about for margin in self.margins):
            yield self._excluded()
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

    def _excluded(self) -> str:
        said = f"{number_of(self.cases, 'case')} that hold exclude a break rate above {percent(self.excludes)}"
        goal = next((goal for goal in (0.10, 0.05, 0.02, 0.01) if goal < self.excludes - 0.005), None)
        return said + (f", {guards_needed(goal) - self.cases} more one above {percent(goal)}" if goal else "")
