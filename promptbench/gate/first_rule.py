"""The first rule of the gate, by which evidence without a version of its rule is judged again. No run is planned by it.

A target that still failed at least half of 8 tries was fixed by 7 passes of 8 with Fisher's p ≤ .05; a guard that the
candidate failed was tried 8 times more, and broken if it passed at most half, production 80 %, and p ≤ .02. The tries
that had selected a case counted again, so a fix by chance was too likely.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from promptbench.gate.attempt_matrix import AttemptCell
from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome, ComparedCase, PromptPair, clusters
from promptbench.gate.comparison import Comparison
from promptbench.gate.margin import Bound
from promptbench.gate.policy import LEVEL
from promptbench.gate.trial import Trial
from promptbench.stats.exact import fisher_greater, simes

NEXT = 2
_TRIES = 8
_FIXED, _STABLE, _BROKEN, _RELIABLE, _BROKEN_P = 7 / 8, 9 / 11, 0.5, 0.8, 0.02


@dataclass(frozen=True)
class FirstComparison(Comparison):
    """What attempts prove by the first rule. Its wording is that of the present rule, which no hash covers."""

    deterministic: bool = False

    @property
    def _first(self) -> int:
        return 1 if self.deterministic else self.policy.repeats

    @property
    def proven(self) -> bool:
        return bool(self.fixed)

    @property
    def _p_of_fixes(self) -> float:
        if self.deterministic or not self.fixed:
            return 0.0
        must = [_p_of_fix(item) for item in self.fixed if self._must(item)]
        return max(must) if must else simes([_p_of_fix(item) for item in self.targets])

    def _doubts(self) -> Iterator[str]:
        if any(item.outcome is CaseOutcome.UNSTABLE and item.case.critical for item in self.guards):
            yield "a critical case is unstable"
        better = any(
            item.candidate.passes > item.candidate.failures
            and item.candidate.passes * item.champion.total > item.champion.passes * item.candidate.total
            for item in self.targets
        )
        unproven = self.targets and not self.fixed and better and not self.deterministic
        if unproven or (self.holm.candidates > 1 and self._p_of_fixes > self.holm.level):
            yield "no fix is proven"

    def bounds(self) -> Iterator[Bound]:
        """Yield the bounds of each margin; without one, what the clusters without an unstable guard exclude."""
        if self.margins:
            yield from super().bounds()
            return
        held = sum(not any(item.doubtful for item in cluster) for cluster in clusters(self.guards))
        if held:
            yield Bound.of("", None, held, None, 0, 1 - LEVEL)


class FirstPair(PromptPair):
    """The attempts of two prompts on one model, compared by the first rule."""

    @cached_property
    def trial(self) -> Trial | None:
        """None: the first rule has no stages."""
        return None

    def outcomes(self) -> list[ComparedCase]:
        """Return the outcome of every case."""
        result = []
        for case in self.cases:
            theirs, ours = self._cells(case)
            screen = self.policy.screen(critical=case.critical)
            outcome = _fact(theirs, ours) if self.deterministic else _tested(theirs, ours, screen)
            fell = _lower(theirs, ours) and (self.deterministic or _surely_lower(theirs, ours, screen))
            if case.review_by:
                outcome, fell = CaseOutcome.QUARANTINED, False
            result.append(ComparedCase(case, outcome, theirs, ours, fell))
        return result

    def needed_tries(self) -> dict[str, int]:
        """Return, by case, how many tries in all both prompts need. Only cases are there that lack some."""
        needed = {}
        for case in self.cases:
            tries = self._tries(case)
            if not all(cell.asked(tries) for cell in self._cells(case)):
                needed[case.name] = tries
        return needed

    def _cells(self, case: CaseInfo) -> tuple[AttemptCell, AttemptCell]:
        # This rule knows no refusals.
        assert self.champion is not None
        champion, candidate = (self.table.cell(name, self.model, case.name) for name in (self.champion, self.candidate))
        return champion, candidate

    def _tries(self, case: CaseInfo) -> int:
        screen = self.screen(case)
        theirs, ours = (cell.first(screen) for cell in self._cells(case))
        if self.deterministic or case.review_by or not (theirs.total and ours.total):
            return screen
        if theirs.failures * 2 >= theirs.total:
            return max(screen, _TRIES)
        return screen + _TRIES if ours.failures or _lower(theirs, ours) else screen


def _fact(champion: AttemptCell, candidate: AttemptCell) -> CaseOutcome:
    if not (champion.total and candidate.total):
        return CaseOutcome.NO_ANSWER
    if champion.passes:
        return CaseOutcome.STILL_PASSING if candidate.passes else CaseOutcome.BROKEN
    return CaseOutcome.FIXED if candidate.passes else CaseOutcome.STILL_FAILING


def _tested(champion: AttemptCell, candidate: AttemptCell, screen: int) -> CaseOutcome:
    if not (champion.total and candidate.total):
        return CaseOutcome.NO_ANSWER
    first = champion.first(screen)
    if first.failures * 2 >= first.total:
        if champion.failures * 2 < champion.total:
            return CaseOutcome.NOT_REPRODUCED
        better = fisher_greater(candidate.passes, candidate.total, champion.passes, champion.total)
        fixed = candidate.passes >= _FIXED * candidate.total and better <= LEVEL
        return CaseOutcome.FIXED if fixed else CaseOutcome.STILL_FAILING
    if not (champion.failures or candidate.failures):
        return CaseOutcome.STILL_PASSING
    if _is_break(champion.passes, champion.total, candidate.passes, candidate.total):
        return CaseOutcome.BROKEN
    worse = candidate.passes * champion.total < champion.passes * candidate.total
    stable = candidate.passes >= _STABLE * candidate.total
    return CaseOutcome.UNSTABLE if worse and not stable else CaseOutcome.FLAKY


def _is_break(champion_passes: int, champion_total: int, passes: int, total: int) -> bool:
    return (
        passes <= _BROKEN * total
        and champion_passes >= _RELIABLE * champion_total
        and fisher_greater(champion_passes, champion_total, passes, total) <= _BROKEN_P
    )


def _lower(champion: AttemptCell, candidate: AttemptCell) -> bool:
    mine, theirs = candidate.rung, champion.rung
    return mine is not None and theirs is not None and mine.depth > theirs.depth


def _surely_lower(champion: AttemptCell, candidate: AttemptCell, screen: int) -> bool:
    usual = champion.first(screen).rung or champion.rung
    if usual is None:
        return False
    high, mine = (sum(depth <= usual.depth for depth in cell.depths) for cell in (champion, candidate))
    return _is_break(high, len(champion.depths), mine, len(candidate.depths))


def _p_of_fix(item: ComparedCase) -> float:
    ours, theirs = item.candidate, item.champion
    return fisher_greater(ours.passes, ours.total, theirs.passes, theirs.total)
