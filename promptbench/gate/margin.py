"""Whether the guards keep within a margin: how much of their passes the candidate may lose.

Two things are asked, each at the same level; both must hold, so that no correction for asking two is due (Berger 1982,
Technometrics 24:295: a claim that needs every one of several tests has the level of each).

- The mean loss: the plus-two lower bound of the paired difference in passes, candidate less champion, lies above
  −margin (`stats.paired`). Each guard counts once, by its share of passes over the first `repeats` tries of either
  prompt; later tries were asked because of a failure and would pull the mean.
- The share of guards that break: its exact Clopper-Pearson bound lies below the margin. An unstable guard counts among
  the broken ones here, since it is not known to hold. A guard that is surely broken fails the gate in any case.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from promptbench.gate.flips import CaseFlip, Flip
from promptbench.gate.policy import Among
from promptbench.gate.sentence import counted, fine_percent, names, percent
from promptbench.stats.beta import binomial_at_most, clopper_pearson_upper
from promptbench.stats.exact import guards_needed
from promptbench.stats.paired import Paired

FEWEST = 10
"""Below so many guards the bound of the mean difference is wider than it says."""
_MOST = 1_000_000


@dataclass(frozen=True)
class Guarded:
    """What guards say about a margin. `first` is how many tries of each count; `about` names their tag, if any."""

    guards: Sequence[CaseFlip]
    margin: float
    among: Among
    first: int
    about: str = ""

    @cached_property
    def difference(self) -> Paired:
        return Paired.of(_difference(item, self.first) for item in self.guards)

    @cached_property
    def unsteady(self) -> list[CaseFlip]:
        return [item for item in self.guards if item.flip in (Flip.UNSTABLE, Flip.BROKEN)]

    @property
    def p(self) -> float:
        """The larger p of the two tests that the margin is kept; 1.0 with fewer guards than they take."""
        if len(self.guards) < FEWEST:
            return 1.0
        breaks = binomial_at_most(len(self.unsteady), len(self.guards), self.margin)
        return max(self.difference.p_above(-self.margin), breaks)

    @property
    def holds(self) -> bool:
        return self.p <= self.among.level

    @property
    def missing(self) -> int | None:
        """How many guards more would do, if those hold and differ as these do; None if none would."""
        there, confidence = len(self.guards), self.among.confidence
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

    def kept(self) -> str:
        """That the margin is kept, with the bounds that say so."""
        confidence = self.among.confidence
        loss = fine_percent(max(0.0, -self.difference.lower(confidence)))
        breaks = fine_percent(clopper_pearson_upper(len(self.unsteady), len(self.guards), confidence))
        sure = fine_percent(confidence)
        return f"within {self._margin}: at {sure} it loses less than {loss} of passes and breaks less than {breaks}"

    def open(self) -> str:
        """Why it is not known whether the margin is kept, and what would decide."""
        if self.missing is None:
            loss = percent(-self.difference.mean)
            return f"at {self._margin} the guards lose {loss} of their passes, which more guards would not change"
        verb = "is" if self.missing == 1 else "are"
        said = f"at {self._margin} {counted(self.missing, 'more guard')} {verb} needed"
        if not self.unsteady:
            return said
        are = "is" if len(self.unsteady) == 1 else "are"
        return f"{said}, since {len(self.unsteady)} of {len(self.guards)} {are} unstable ({names(self.unsteady)})"

    @property
    def _margin(self) -> str:
        return f"margin {fine_percent(self.margin)}{self.about}"


def _difference(item: CaseFlip, first: int) -> float:
    ours, theirs = item.candidate.first(first), item.champion.first(first)
    if not (ours.total and theirs.total):
        ours, theirs = item.candidate, item.champion
    return ours.passes / ours.total - theirs.passes / theirs.total
