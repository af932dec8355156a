"""Whether the guards keep within a margin: how much of their passes the candidate may lose.

Two things are asked, each at the same level; both must hold, so that no correction for asking two is due (Berger 1982,
Technometrics 24:295: a claim that needs every one of several tests has the level of each). Both count clusters
(`gate.clusters`): guards that belong together are one, and a guard without a cluster is one of its own.

- The mean loss: the plus-two lower bound of the paired difference in passes, candidate less champion, lies above
  −margin (`stats.paired`). Each cluster counts once: d of a guard is by its share of passes over the first `repeats`
  tries of either prompt, since later tries were asked because of a failure and would pull the mean; d of a cluster is
  the mean of its guards.
- The share that breaks: the exact Clopper-Pearson bound of x broken clusters among n lies below the margin. A cluster
  is broken where one of its guards is. An unstable guard counts among the broken ones here, since it is not known to
  hold. A guard that is surely broken fails the gate in any case.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from promptbench.core.words import number_of, percent
from promptbench.gate.clusters import clustered, clusters
from promptbench.gate.flips import CaseFlip, Flip
from promptbench.gate.policy import Among
from promptbench.gate.sentence import fine_percent, names
from promptbench.stats.beta import binomial_at_most, clopper_pearson_upper
from promptbench.stats.exact import guards_needed
from promptbench.stats.paired import Paired

FEWEST = 10
"""Below so many guards the bound of the mean difference is wider than it says."""
_MOST = 1_000_000
MOST_REPEATS = 16
"""More are not advised for a margin: new cases tell more."""


@dataclass(frozen=True)
class Guarded:
    """What guards say about a margin. `first` is how many tries of each count; `about` names their tag, if any."""

    guards: Sequence[CaseFlip]
    margin: float
    among: Among
    first: int
    about: str = ""

    @cached_property
    def clusters(self) -> list[list[CaseFlip]]:
        return clusters(self.guards)

    @cached_property
    def difference(self) -> Paired:
        return Paired.of(fmean(_difference(item, self.first) for item in cluster) for cluster in self.clusters)

    @cached_property
    def unsteady(self) -> list[list[CaseFlip]]:
        """The clusters in which a guard does not hold."""
        return [cluster for cluster in self.clusters if any(map(_wavers, cluster))]

    @property
    def p(self) -> float:
        """The larger p of the two tests that the margin is kept; 1.0 with fewer clusters than they take."""
        if len(self.clusters) < FEWEST:
            return 1.0
        breaks = binomial_at_most(len(self.unsteady), len(self.clusters), self.margin)
        return max(self.difference.p_above(-self.margin), breaks)

    @property
    def holds(self) -> bool:
        return self.p <= self.among.level

    @property
    def missing(self) -> int | None:
        """How many clusters more would do, if those hold and differ as these do; None if none would."""
        there, confidence = len(self.clusters), self.among.confidence
        enough = max(FEWEST, guards_needed(self.margin, confidence, len(self.unsteady)))
        if self.difference.mean <= -self.margin:
            return None
        if there >= FEWEST:
            enough = max(enough, self._for_mean())
        return enough - there if enough < _MOST else None

    def _for_mean(self) -> int:
        there, level = self.difference, self.among.level
        return bisect_left(
            range(_MOST),
            True,
            lo=there.count,
            key=lambda n: there.times(n / there.count).p_above(-self.margin) <= level,
        )

    @property
    def repeats(self) -> int | None:
        """With how many repeats these guards would keep the margin, if their rates are what they seem; None if more
        would not do.
        """
        breaks = binomial_at_most(len(self.unsteady), len(self.clusters), self.margin)
        if len(self.clusters) < FEWEST or breaks > self.among.level:
            return None
        more, level = range(self.first + 1, MOST_REPEATS + 1), self.among.level
        return next((count for count in more if self.steadier(count).p_above(-self.margin) <= level), None)

    def steadier(self, repeats: int) -> Paired:
        """What the difference would be with more repeats: of Σd² that goes away which chance has put in. Of the share p
        of k tries it is the variance, whose unbiased estimate is p(1 − p)/(k − 1).
        """
        there = self.difference
        chance = sum(sum(_chance(item, self.first) for item in found) / len(found) ** 2 for found in self.clusters)
        squares = there.squares - chance * (1 - self.first / repeats)
        return Paired(there.count, there.total, max(squares, there.total**2 / there.count))

    def kept(self) -> str:
        """The bounds by which the margin is kept: of the mean difference in passes, and of the share that breaks."""
        confidence = self.among.confidence
        mean = f"lower bound {self.difference.lower(confidence) * 100:.1f} points".replace("-", "−")
        breaks = fine_percent(clopper_pearson_upper(len(self.unsteady), len(self.clusters), confidence))
        return f"{self._margin}: {mean}, below {breaks} broken, at {fine_percent(confidence)}"

    def open(self) -> str:
        """Why it is not known whether the margin is kept, and what would decide."""
        if self.missing is None:
            loss = percent(-self.difference.mean)
            return f"at {self._margin} the guards lose {loss} of their passes, which more guards would not change"
        verb = "is" if self.missing == 1 else "are"
        more = number_of(self.missing, "more guard") + (" of other clusters" if clustered(self.guards) else "")
        said = f"at {self._margin} {more} {verb} needed"
        said += f", or about 'repeats: {self.repeats}'" if self.repeats else ""
        wavering = [item for item in self.guards if _wavers(item)]
        if not wavering:
            return said
        are = "is" if len(wavering) == 1 else "are"
        return f"{said}, since {len(wavering)} of {len(self.guards)} {are} unstable ({names(wavering)})"

    @property
    def _margin(self) -> str:
        return f"margin {fine_percent(self.margin)}{self.about}"


def _wavers(item: CaseFlip) -> bool:
    return item.flip in (Flip.UNSTABLE, Flip.BROKEN)


def _chance(item: CaseFlip, first: int) -> float:
    """The estimated variance of a guard's difference that is due to the few tries."""
    cells = (item.candidate.first(first), item.champion.first(first))
    return sum(cell.passes * cell.failures / cell.total**2 / (cell.total - 1) for cell in cells if cell.total > 1)


def _difference(item: CaseFlip, first: int) -> float:
    ours, theirs = item.candidate.first(first), item.champion.first(first)
    if not (ours.total and theirs.total):
        ours, theirs = item.candidate, item.champion
    return ours.passes / ours.total - theirs.passes / theirs.total
