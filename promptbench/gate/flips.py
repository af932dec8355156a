"""What became of each case: the champion's and the candidate's attempts side by side, in the field's words.

On a deterministic model the one attempt is the fact. On any other model a failure must repeat before it counts, and so
must a fix and a break; the thresholds are those of the design notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from promptbench.gate.policy import TRIES, Policy
from promptbench.gate.table import Cell, Table
from promptbench.stats.exact import fisher_greater

_FIXED_SHARE, _FIXED_P = 7 / 8, 0.05
_BROKEN_SHARE, _CHAMPION_SHARE, _BROKEN_P = 0.5, 0.8, 0.02
_STABLE_SHARE = 9 / 11


class Flip(StrEnum):
    """The state of a case between champion and candidate."""

    FIXED = "fixed"
    BROKEN = "broken"
    STILL_FAILING = "still failing"
    STILL_PASSING = "still passing"
    UNSTABLE = "unstable"
    NOT_REPRODUCED = "not reproduced"
    NO_ANSWER = "no answer"
    FAILING = "failing"
    """Without a champion to compare with."""


@dataclass(frozen=True, slots=True)
class CaseInfo:
    name: str
    critical: bool = False


@dataclass(frozen=True, slots=True)
class CaseFlip:
    """One case on one model, with the counts that decided."""

    case: CaseInfo
    flip: Flip
    champion: Cell
    candidate: Cell

    @property
    def target(self) -> bool:
        """The champion fails it: something to fix."""
        return self.flip in (Flip.FIXED, Flip.STILL_FAILING)

    @property
    def guard(self) -> bool:
        """The champion passes it: something to keep."""
        return self.flip in (Flip.STILL_PASSING, Flip.BROKEN, Flip.UNSTABLE)

    @property
    def improved(self) -> bool:
        """The candidate passes more often, whether that is proven or not."""
        if not (self.champion.total and self.candidate.total):
            return False
        return self.candidate.passes / self.candidate.total > self.champion.passes / self.champion.total

    @property
    def fell(self) -> bool:
        """The candidate's answer needs more repair than the champion's did."""
        mine, theirs = self.candidate.rung, self.champion.rung
        return mine is not None and theirs is not None and mine.depth > theirs.depth


@dataclass(frozen=True, slots=True)
class Want:
    """`repeats` attempts in all are wanted of a prompt at a case."""

    variant: str
    case: str
    repeats: int


def flips(
    table: Table,
    champion: str,
    candidate: str,
    model: str,
    cases: Sequence[CaseInfo],
    *,
    deterministic: bool,
    policy: Policy,
) -> list[CaseFlip]:
    """The state of every case on one model."""
    result = []
    for case in cases:
        ours, theirs = table.cell(candidate, model, case.name), table.cell(champion, model, case.name)
        flip = _fact(theirs, ours) if deterministic else _tested(theirs, ours, policy)
        result.append(CaseFlip(case, flip, theirs, ours))
    return result


def wanted(
    table: Table, champion: str, candidate: str, model: str, cases: Sequence[CaseInfo], policy: Policy
) -> Iterator[Want]:
    """What a model that is not deterministic must be asked again before its cases can be judged."""
    screen = policy.repeats
    for case in cases:
        theirs = table.cell(champion, model, case.name).first(screen)
        ours = table.cell(candidate, model, case.name).first(screen)
        if not (theirs.total and ours.total):
            continue
        if _is_target(theirs):
            total = max(screen, TRIES)
        elif ours.failures:
            total = screen + TRIES
        else:
            continue
        yield Want(champion, case.name, total)
        yield Want(candidate, case.name, total)


def _is_target(screen: Cell) -> bool:
    return screen.failures * 2 >= screen.total


def _fact(champion: Cell, candidate: Cell) -> Flip:
    if not (champion.total and candidate.total):
        return Flip.NO_ANSWER
    if champion.passes:
        return Flip.STILL_PASSING if candidate.passes else Flip.BROKEN
    return Flip.FIXED if candidate.passes else Flip.STILL_FAILING


def _tested(champion: Cell, candidate: Cell, policy: Policy) -> Flip:
    if not (champion.total and candidate.total):
        return Flip.NO_ANSWER
    if _is_target(champion.first(policy.repeats)):
        if champion.failures * 2 < champion.total:
            return Flip.NOT_REPRODUCED
        proven = fisher_greater(candidate.passes, candidate.total, champion.passes, champion.total) <= _FIXED_P
        fixed = proven and candidate.passes >= _FIXED_SHARE * candidate.total
        return Flip.FIXED if fixed else Flip.STILL_FAILING
    if not candidate.first(policy.repeats).failures:
        return Flip.STILL_PASSING
    worse = fisher_greater(champion.passes, champion.total, candidate.passes, candidate.total) <= _BROKEN_P
    if (
        worse
        and candidate.passes <= _BROKEN_SHARE * candidate.total
        and champion.passes >= _CHAMPION_SHARE * champion.total
    ):
        return Flip.BROKEN
    return Flip.UNSTABLE if candidate.passes < _STABLE_SHARE * candidate.total else Flip.STILL_PASSING
