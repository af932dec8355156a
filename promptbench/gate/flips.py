"""What became of each case: the champion's and the candidate's attempts side by side, in the field's words.

On a deterministic model the one attempt is the fact. On any other model a failure must repeat before it counts, and so
must a fix and a break; the thresholds are those of the design notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor

from promptbench.gate.policy import LEVEL, TRIES, Policy
from promptbench.gate.table import Cell, Table
from promptbench.stats.exact import fisher_greater

_FIXED_SHARE = 7 / 8
_BROKEN_SHARE, _CHAMPION_SHARE, _BROKEN_P = 0.5, 0.8, 0.02
_STABLE_SHARE = 9 / 11
_MOST_REPEATS = 64


class Flip(StrEnum):
    """The state of a case between champion and candidate."""

    FIXED = "fixed"
    BROKEN = "broken"
    STILL_FAILING = "still failing"
    STILL_PASSING = "still passing"
    FLAKY = "flaky"
    """A guard that fails some tries, with no sign that the candidate fails more of them."""
    UNSTABLE = "unstable"
    NOT_REPRODUCED = "not reproduced"
    NO_ANSWER = "no answer"
    QUARANTINED = "quarantined"
    """Asked and shown, and neither target nor guard."""
    FAILING = "failing"
    """Without a champion to compare with."""


@dataclass(frozen=True, slots=True)
class CaseInfo:
    """A case as the gate knows it; `tags` are those of its tags that the policy names.

    `cluster` names what it has in common with other cases, such as the conversation they come from; without one it
    stands for itself. `review_by` is the last day of its quarantine, in ISO 8601, where it is in one; it is `expired`
    on the days after.
    """

    name: str
    critical: bool = False
    tags: tuple[str, ...] = ()
    cluster: str = ""
    review_by: str = ""
    expired: bool = False


@dataclass(frozen=True, slots=True)
class CaseFlip:
    """One case on one model, with the counts that decided."""

    case: CaseInfo
    flip: Flip
    champion: Cell
    candidate: Cell
    fell: bool = False
    """Whether the candidate's answers need more repair than the champion's, proven like a break."""

    @property
    def target(self) -> bool:
        """The champion fails it: something to fix."""
        return self.flip in (Flip.FIXED, Flip.STILL_FAILING)

    @property
    def guard(self) -> bool:
        """The champion passes it: something to keep."""
        return self.flip in (Flip.STILL_PASSING, Flip.FLAKY, Flip.BROKEN, Flip.UNSTABLE)

    @property
    def improved(self) -> bool:
        """The candidate passes most tries, and more of them than the champion does, whether that is proven or not."""
        mine, theirs = self.candidate, self.champion
        return mine.passes > mine.failures and mine.passes * theirs.total > theirs.passes * mine.total


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
        if case.review_by:
            result.append(CaseFlip(case, Flip.QUARANTINED, theirs, ours))
            continue
        screen = policy.screen(critical=case.critical)
        flip = _fact(theirs, ours) if deterministic else _tested(theirs, ours, screen)
        fell = _lower(theirs, ours) and (deterministic or _surely_lower(theirs, ours, screen))
        result.append(CaseFlip(case, flip, theirs, ours, fell))
    return result


def wanted(
    table: Table, champion: str, candidate: str, model: str, cases: Sequence[CaseInfo], policy: Policy
) -> Iterator[Want]:
    """What a model that is not deterministic must be asked again before its cases can be judged."""
    for case in () if champion == candidate else cases:
        if case.review_by:
            continue
        screen = policy.screen(critical=case.critical)
        theirs = table.cell(champion, model, case.name).first(screen)
        ours = table.cell(candidate, model, case.name).first(screen)
        if not (theirs.total and ours.total):
            continue
        if _is_target(theirs):
            total = max(screen, TRIES)
        elif ours.failures or _lower(theirs, ours):
            total = screen + TRIES
        else:
            continue
        yield Want(champion, case.name, total)
        yield Want(candidate, case.name, total)


def complete(
    table: Table,
    champion: str | None,
    candidate: str,
    model: str,
    cases: Sequence[CaseInfo],
    *,
    deterministic: bool,
    policy: Policy,
) -> bool:
    """Whether everything that the verdict on a model rests on was asked."""

    def first(case: CaseInfo) -> int:
        return 1 if deterministic else policy.screen(critical=case.critical)

    variants = dict.fromkeys(variant for variant in (champion, candidate) if variant is not None)
    if not all(table.cell(variant, model, case.name).asked(first(case)) for variant in variants for case in cases):
        return False
    if deterministic or champion is None:
        return True
    wants = wanted(table, champion, candidate, model, cases, policy)
    return all(table.cell(want.variant, model, want.case).asked(want.repeats) for want in wants)


def passes_to_fix(item: CaseFlip) -> int | None:
    """Of as many tries as the candidate had, how many must pass for a fix; None when no number would do."""
    total = item.candidate.total
    return next(
        (passes for passes in range(total + 1) if _is_fix(passes, total, item.champion.passes, item.champion.total)),
        None,
    )


def passes_to_hold(item: CaseFlip) -> int:
    """Of as many tries as the candidate had, how many must pass for a case to be stable."""
    return ceil(_STABLE_SHARE * item.candidate.total - 1e-9)


def p_of_fix(item: CaseFlip) -> float:
    """Fisher's one-sided p that the candidate passes a case more often than the champion does."""
    ours, theirs = item.candidate, item.champion
    return fisher_greater(ours.passes, ours.total, theirs.passes, theirs.total)


def repeats_to_fix(item: CaseFlip, level: float = LEVEL) -> int | None:
    """With how many repeats the same rates would be a fix; None when more repeats would not make them one."""
    for total in range(item.candidate.total + 1, _MOST_REPEATS + 1):
        champion = ceil(item.champion.passes / item.champion.total * total)
        passes = floor(item.candidate.passes / item.candidate.total * total)
        if _is_fix(passes, total, champion, total, level):
            return total
    return None


def repeats_to_break(item: CaseFlip) -> int | None:
    """With how many repeats the same rates would be a break; None when more repeats would not make them one."""
    for total in range(item.candidate.total + 1, _MOST_REPEATS + 1):
        champion = floor(item.champion.passes / item.champion.total * total)
        passes = ceil(item.candidate.passes / item.candidate.total * total)
        if is_break(champion, total, passes, total):
            return total - TRIES
    return None


def _is_target(screen: Cell) -> bool:
    return screen.failures * 2 >= screen.total


def _lower(champion: Cell, candidate: Cell) -> bool:
    """Whether the candidate's middle answer is further down the format ladder."""
    mine, theirs = candidate.rung, champion.rung
    return mine is not None and theirs is not None and mine.depth > theirs.depth


def _surely_lower(champion: Cell, candidate: Cell, screen: int) -> bool:
    """Whether the candidate's answers are not as high up as the champion's usual one, by the rule for a break."""
    usual = champion.first(screen).rung or champion.rung
    if usual is None:
        return False
    high, mine = (sum(depth <= usual.depth for depth in cell.depths) for cell in (champion, candidate))
    return is_break(high, len(champion.depths), mine, len(candidate.depths))


def is_stable(passes: int, total: int) -> bool:
    """Whether a case that failed in the first round holds over all its tries."""
    return passes >= _STABLE_SHARE * total


def is_break(champion_passes: int, champion_total: int, passes: int, total: int) -> bool:
    """Whether a case that production passes is surely broken, by the passes of all tries of both."""
    return (
        passes <= _BROKEN_SHARE * total
        and champion_passes >= _CHAMPION_SHARE * champion_total
        and fisher_greater(champion_passes, champion_total, passes, total) <= _BROKEN_P
    )


def _is_fix(passes: int, total: int, champion_passes: int, champion_total: int, level: float = LEVEL) -> bool:
    return passes >= _FIXED_SHARE * total and fisher_greater(passes, total, champion_passes, champion_total) <= level


def _fact(champion: Cell, candidate: Cell) -> Flip:
    if not (champion.total and candidate.total):
        return Flip.NO_ANSWER
    if champion.passes:
        return Flip.STILL_PASSING if candidate.passes else Flip.BROKEN
    return Flip.FIXED if candidate.passes else Flip.STILL_FAILING


def _tested(champion: Cell, candidate: Cell, screen: int) -> Flip:
    if not (champion.total and candidate.total):
        return Flip.NO_ANSWER
    if _is_target(champion.first(screen)):
        if not _is_target(champion):
            return Flip.NOT_REPRODUCED
        fixed = _is_fix(candidate.passes, candidate.total, champion.passes, champion.total)
        return Flip.FIXED if fixed else Flip.STILL_FAILING
    if not (champion.failures or candidate.failures):
        return Flip.STILL_PASSING
    if is_break(champion.passes, champion.total, candidate.passes, candidate.total):
        return Flip.BROKEN
    worse = candidate.passes * champion.total < champion.passes * candidate.total
    return Flip.UNSTABLE if worse and not is_stable(candidate.passes, candidate.total) else Flip.FLAKY
