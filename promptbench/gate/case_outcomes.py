"""Compare the champion's and the candidate's attempts case by case: fixed, broken, still failing, and so on.

On a deterministic model the one attempt is the fact. On any other model a failure must repeat before it counts, and so
must a fix and a break. `docs/design/0003-margins-and-candidates.md` gives the reasons for the thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor

from promptbench.gate.attempt_matrix import AttemptCell, AttemptMatrix
from promptbench.gate.policy import LEVEL, TRIES, Policy
from promptbench.stats.exact import fisher_greater

_FIXED_SHARE = 7 / 8
_BROKEN_SHARE, _CHAMPION_SHARE, _BROKEN_P = 0.5, 0.8, 0.02
_STABLE_SHARE = 9 / 11
_MAX_REPEATS = 64


class CaseOutcome(StrEnum):
    """The outcome of a case for a candidate, compared with the champion. The values are keys of the evidence."""

    FIXED = "fixed"
    BROKEN = "broken"
    STILL_FAILING = "still failing"
    STILL_PASSING = "still passing"
    # A guard that fails some tries, without a sign that the candidate fails more of them.
    FLAKY = "flaky"
    UNSTABLE = "unstable"
    NOT_REPRODUCED = "not reproduced"
    NO_ANSWER = "no answer"
    # Requested and shown, but neither target nor guard.
    QUARANTINED = "quarantined"
    # Without a champion to compare with.
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class CaseInfo:
    """A case as the gate knows it.

    Attributes:
        tags: those of its tags that the policy names.
        cluster: what it has in common with other cases, such as a conversation; empty for a case of its own.
        review_by: the last day of its quarantine in ISO 8601; empty if it is in none.
        expired: True after that day.
    """

    name: str
    critical: bool = False
    tags: tuple[str, ...] = ()
    cluster: str = ""
    review_by: str = ""
    expired: bool = False


@dataclass(frozen=True, slots=True)
class ComparedCase:
    """One case on one model, with the counts that decided.

    `fell` is True if the candidate's answers need more repair than the champion's, proven like a break.
    """

    case: CaseInfo
    outcome: CaseOutcome
    champion: AttemptCell
    candidate: AttemptCell
    fell: bool = False

    @property
    def target(self) -> bool:
        """True if the champion fails the case: something to fix."""
        return self.outcome in (CaseOutcome.FIXED, CaseOutcome.STILL_FAILING)

    @property
    def guard(self) -> bool:
        """True if the champion passes the case: something to keep."""
        kept = (CaseOutcome.STILL_PASSING, CaseOutcome.FLAKY)
        return self.outcome in (*kept, CaseOutcome.BROKEN, CaseOutcome.UNSTABLE)

    @property
    def improved(self) -> bool:
        """True if the candidate passes most tries, and a larger share than the champion; not a test."""
        mine, theirs = self.candidate, self.champion
        return mine.passes > mine.failures and mine.passes * theirs.total > theirs.passes * mine.total


@dataclass(frozen=True, slots=True)
class NeededRepeats:
    """The total number of attempts that a prompt needs at a case."""

    variant: str
    case: str
    repeats: int


def compare_cases(
    table: AttemptMatrix,
    champion: str,
    candidate: str,
    model: str,
    cases: Sequence[CaseInfo],
    *,
    deterministic: bool,
    policy: Policy,
) -> list[ComparedCase]:
    """Return the outcome of every case on one model."""
    result = []
    for case in cases:
        ours, theirs = table.cell(candidate, model, case.name), table.cell(champion, model, case.name)
        if case.review_by:
            result.append(ComparedCase(case, CaseOutcome.QUARANTINED, theirs, ours))
            continue
        screen = policy.screen(critical=case.critical)
        outcome = _fact(theirs, ours) if deterministic else _tested(theirs, ours, screen)
        fell = _lower(theirs, ours) and (deterministic or _surely_lower(theirs, ours, screen))
        result.append(ComparedCase(case, outcome, theirs, ours, fell))
    return result


def needed_repeats(
    table: AttemptMatrix, champion: str, candidate: str, model: str, cases: Sequence[CaseInfo], policy: Policy
) -> Iterator[NeededRepeats]:
    """Yield the attempts that a model that is not deterministic needs before its cases can be judged."""
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
        yield NeededRepeats(champion, case.name, total)
        yield NeededRepeats(candidate, case.name, total)


def is_complete(
    table: AttemptMatrix,
    champion: str | None,
    candidate: str,
    model: str,
    cases: Sequence[CaseInfo],
    *,
    deterministic: bool,
    policy: Policy,
) -> bool:
    """Return True if every attempt that the verdict on a model needs was made."""

    def first(case: CaseInfo) -> int:
        return 1 if deterministic else policy.screen(critical=case.critical)

    variants = dict.fromkeys(variant for variant in (champion, candidate) if variant is not None)
    if not all(table.cell(variant, model, case.name).asked(first(case)) for variant in variants for case in cases):
        return False
    if deterministic or champion is None:
        return True
    needed = needed_repeats(table, champion, candidate, model, cases, policy)
    return all(table.cell(item.variant, model, item.case).asked(item.repeats) for item in needed)


def passes_to_fix(item: ComparedCase) -> int | None:
    """Return how many of the candidate's tries must pass for a fix; None if no number would do."""
    total, champion = item.candidate.total, item.champion
    fixes = (passes for passes in range(total + 1) if _is_fix(passes, total, champion.passes, champion.total))
    return next(fixes, None)


def passes_to_hold(item: ComparedCase) -> int:
    """Return how many of the candidate's tries must pass for a case to be stable."""
    return ceil(_STABLE_SHARE * item.candidate.total - 1e-9)


def p_of_fix(item: ComparedCase) -> float:
    """Return Fisher's one-sided p that the candidate passes a case more often than the champion."""
    ours, theirs = item.candidate, item.champion
    return fisher_greater(ours.passes, ours.total, theirs.passes, theirs.total)


def repeats_to_fix(item: ComparedCase, level: float = LEVEL) -> int | None:
    """Return the number of repeats with which the same rates would be a fix; None if more would not help."""

    def fixes(total: int) -> bool:
        champion = ceil(item.champion.passes / item.champion.total * total)
        passes = floor(item.candidate.passes / item.candidate.total * total)
        return _is_fix(passes, total, champion, total, level)

    return _first_total(item, fixes)


def repeats_to_break(item: ComparedCase) -> int | None:
    """Return the number of repeats with which the same rates would be a break; None if more would not help."""

    def breaks(total: int) -> bool:
        champion = floor(item.champion.passes / item.champion.total * total)
        passes = ceil(item.candidate.passes / item.candidate.total * total)
        return is_break(champion, total, passes, total)

    total = _first_total(item, breaks)
    return None if total is None else total - TRIES


def _first_total(item: ComparedCase, decides: Callable[[int], bool]) -> int | None:
    return next(filter(decides, range(item.candidate.total + 1, _MAX_REPEATS + 1)), None)


def _is_target(screen: AttemptCell) -> bool:
    return screen.failures * 2 >= screen.total


def _lower(champion: AttemptCell, candidate: AttemptCell) -> bool:
    """Return True if the candidate's median answer is further down the format ladder."""
    mine, theirs = candidate.rung, champion.rung
    return mine is not None and theirs is not None and mine.depth > theirs.depth


def _surely_lower(champion: AttemptCell, candidate: AttemptCell, screen: int) -> bool:
    """Return True if the candidate is as high as the champion's usual rung less often, by the rule for a break."""
    usual = champion.first(screen).rung or champion.rung
    if usual is None:
        return False
    high, mine = (sum(depth <= usual.depth for depth in cell.depths) for cell in (champion, candidate))
    return is_break(high, len(champion.depths), mine, len(candidate.depths))


def is_stable(passes: int, total: int) -> bool:
    """Return True if a case that failed in the first round holds over all its tries."""
    return passes >= _STABLE_SHARE * total


def is_break(champion_passes: int, champion_total: int, passes: int, total: int) -> bool:
    """Return True if a case that production passes is broken, by the passes of all tries of both prompts."""
    return (
        passes <= _BROKEN_SHARE * total
        and champion_passes >= _CHAMPION_SHARE * champion_total
        and fisher_greater(champion_passes, champion_total, passes, total) <= _BROKEN_P
    )


def _is_fix(passes: int, total: int, champion_passes: int, champion_total: int, level: float = LEVEL) -> bool:
    return passes >= _FIXED_SHARE * total and fisher_greater(passes, total, champion_passes, champion_total) <= level


def _fact(champion: AttemptCell, candidate: AttemptCell) -> CaseOutcome:
    if not (champion.total and candidate.total):
        return CaseOutcome.NO_ANSWER
    if champion.passes:
        return CaseOutcome.STILL_PASSING if candidate.passes else CaseOutcome.BROKEN
    return CaseOutcome.FIXED if candidate.passes else CaseOutcome.STILL_FAILING


def _tested(champion: AttemptCell, candidate: AttemptCell, screen: int) -> CaseOutcome:
    if not (champion.total and candidate.total):
        return CaseOutcome.NO_ANSWER
    if _is_target(champion.first(screen)):
        if not _is_target(champion):
            return CaseOutcome.NOT_REPRODUCED
        fixed = _is_fix(candidate.passes, candidate.total, champion.passes, champion.total)
        return CaseOutcome.FIXED if fixed else CaseOutcome.STILL_FAILING
    if not (champion.failures or candidate.failures):
        return CaseOutcome.STILL_PASSING
    if is_break(champion.passes, champion.total, candidate.passes, candidate.total):
        return CaseOutcome.BROKEN
    worse = candidate.passes * champion.total < champion.passes * candidate.total
    return CaseOutcome.UNSTABLE if worse and not is_stable(candidate.passes, candidate.total) else CaseOutcome.FLAKY
