"""Test that the guards keep within a margin: the share of their passes that the candidate may lose.

Two tests at the same level must both hold, so they need no correction (Berger 1982, Technometrics 24:295: a claim that
needs every one of several tests has the level of each). Both count clusters (`clusters`): guards that belong
together are one, and a guard without a cluster is one of its own.

- The mean loss: the plus-two lower bound of the paired difference in passes, candidate less champion, lies above
  −margin (`stats.paired`). Each cluster counts once: d of a guard is by its share of passes over the first `repeats`
  tries of either prompt, because later tries are made only after a failure and would bias the mean; d of a cluster is
  the mean of its guards.
- The share that breaks: the exact Clopper-Pearson bound of x broken clusters among n lies below the margin. A cluster
  is broken if one of its guards is. An unstable guard counts as broken here, because it is not known to hold. A guard
  that is proven broken fails the gate in any case.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Self

from promptbench.core.words import number_of, percent
from promptbench.gate.case_outcomes import CaseOutcome, ComparedCase, clustered, clusters
from promptbench.gate.policy import HolmCorrection
from promptbench.gate.sentence import fine_percent, names
from promptbench.stats.exact import binomial_at_most, clopper_pearson_upper, guards_needed
from promptbench.stats.paired import Paired

# With fewer guards the bound of the mean difference does not hold its level.
MIN_GUARDS = 10
_MAX_GUARDS = 1_000_000
# Another machine may compute different last digits when it judges the evidence again.
_DIGITS = 9
# More repeats are not advised for a margin: new cases are more informative.
MAX_REPEATS = 16


@dataclass(frozen=True)
class MarginTest:
    """The test of one margin. `first` is the number of tries of a guard that count; `tag` is empty for all guards."""

    guards: Sequence[ComparedCase]
    margin: float
    holm: HolmCorrection
    first: int
    tag: str = ""

    @cached_property
    def clusters(self) -> list[list[ComparedCase]]:
        """The guards by cluster."""
        return clusters(self.guards)

    @cached_property
    def difference(self) -> Paired:
        """The paired difference in passes, candidate less champion, over the clusters."""
        return mean_change(self.guards, self.first)

    @cached_property
    def unsteady(self) -> list[list[ComparedCase]]:
        """The clusters with a broken or unstable guard."""
        return [cluster for cluster in self.clusters if any(map(_wavers, cluster))]

    @property
    def p(self) -> float:
        """The larger p of the two tests that the margin is kept; 1.0 with too few clusters."""
        if len(self.clusters) < MIN_GUARDS:
            return 1.0
        breaks = binomial_at_most(len(self.unsteady), len(self.clusters), self.margin)
        return max(self.difference.p_above(-self.margin), breaks)

    @property
    def holds(self) -> bool:
        """True if the margin is proven to be kept."""
        return self.p <= self.holm.level

    @property
    def missing(self) -> int | None:
        """How many more clusters would be enough, if they differ as these do; None if no number would."""
        there, confidence = len(self.clusters), self.holm.confidence
        enough = max(MIN_GUARDS, guards_needed(self.margin, confidence, len(self.unsteady)))
        if self.difference.mean <= -self.margin:
            return None
        if there >= MIN_GUARDS:
            enough = max(enough, self._for_mean())
        return enough - there if enough < _MAX_GUARDS else None

    def _for_mean(self) -> int:
        there, level = self.difference, self.holm.level
        return bisect_left(
            range(_MAX_GUARDS),
            True,
            lo=there.count,
            key=lambda n: there.times(n / there.count).p_above(-self.margin) <= level,
        )

    @property
    def repeats(self) -> int | None:
        """The number of repeats with which these guards would keep the margin at the seen rates; None if none would."""
        breaks = binomial_at_most(len(self.unsteady), len(self.clusters), self.margin)
        if len(self.clusters) < MIN_GUARDS or breaks > self.holm.level:
            return None
        more, level = range(self.first + 1, MAX_REPEATS + 1), self.holm.level
        return next((count for count in more if self.steadier(count).p_above(-self.margin) <= level), None)

    def steadier(self, repeats: int) -> Paired:
        """Return the expected difference with more repeats: Σd² without the part that is due to chance.

        For the share p of k tries that part is the variance, whose unbiased estimate is p(1 − p)/(k − 1).
        """
        there = self.difference
        chance = sum(sum(_chance(item, self.first) for item in found) / len(found) ** 2 for found in self.clusters)
        squares = there.squares - chance * (1 - self.first / repeats)
        return Paired(there.count, there.total, max(squares, there.total**2 / there.count))

    def kept(self) -> str:
        """Return the proven bounds in words: of the mean difference in passes, and of the share that breaks."""
        confidence = self.holm.confidence
        mean = f"lower bound {self.difference.lower(confidence) * 100:.1f} points".replace("-", "−")
        breaks = fine_percent(clopper_pearson_upper(len(self.unsteady), len(self.clusters), confidence))
        return f"{self._margin}: {mean}, at most {breaks} broken, at {fine_percent(confidence)} confidence"

    def open(self) -> str:
        """Return why the margin is not proven, and what would decide."""
        if self.missing is None:
            loss = percent(-self.difference.mean)
            return f"{self._margin}: passing cases lose {loss} of their passes, which more cases would not change"
        more = number_of(self.missing, "more passing case") + (" of other clusters" if clustered(self.guards) else "")
        said = f"{self._margin} needs {more}"
        said += f", or about 'repeats: {self.repeats}'" if self.repeats else ""
        wavering = [item for item in self.guards if _wavers(item)]
        if not wavering:
            return said
        are = "is" if len(wavering) == 1 else "are"
        return f"{said}, because {len(wavering)} of {len(self.guards)} {are} unstable ({names(wavering)})"

    @property
    def _margin(self) -> str:
        return margin_name(self.margin, self.tag)


@dataclass(frozen=True, slots=True)
class Bound:
    """Figures for the evidence: upper bounds at one level over the clusters of guards, all of them or those of a `tag`.

    `loss` bounds the mean loss of passes, None if no `margin` asks for it; `breaks` bounds the share that breaks.
    """

    tag: str
    margin: float | None
    clusters: int
    loss: float | None
    breaks: float

    @classmethod
    def of(
        cls, tag: str, margin: float | None, clusters: int, loss: float | None, broken: int, confidence: float
    ) -> Self:
        """Compute the bound on the share that breaks if `broken` of the clusters are."""
        breaks = clopper_pearson_upper(broken, clusters, confidence)
        return cls(tag, margin, clusters, None if loss is None else round(loss, _DIGITS), round(breaks, _DIGITS))


def mean_change(items: Sequence[ComparedCase], first: int) -> Paired:
    """Return the change of the share of passes over the `first` tries, candidate less champion, one per cluster."""
    return Paired.of(fmean(_difference(item, first) for item in cluster) for cluster in clusters(items))


def margin_name(margin: float, tag: str) -> str:
    """Return a margin as people read it, with its tag if it has one."""
    return f"margin {fine_percent(margin)}" + (f" of '{tag}'" if tag else "")


def _wavers(item: ComparedCase) -> bool:
    return item.outcome in (CaseOutcome.UNSTABLE, CaseOutcome.BROKEN)


def _chance(item: ComparedCase, first: int) -> float:
    # The estimated variance of a guard's difference that is due to the few tries.
    cells = (item.candidate.first(first), item.champion.first(first))
    return sum(cell.passes * cell.failures / cell.total**2 / (cell.total - 1) for cell in cells if cell.total > 1)


def _difference(item: ComparedCase, first: int) -> float:
    ours, theirs = item.candidate.first(first), item.champion.first(first)
    if not (ours.total and theirs.total):
        ours, theirs = item.candidate, item.champion
    return ours.passes / ours.total - theirs.passes / theirs.total
