"""The wording of a verdict: shares, counts and case names as people read them.

To users a *target* is a failing case and a *guard* a passing case, both meaning the behaviour in production.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from promptbench.core.words import number_of, percent, plural
from promptbench.gate.case_outcomes import (
    CaseOutcome,
    ComparedCase,
    passes_to_fix,
    passes_to_hold,
    repeats_to_break,
    repeats_to_fix,
)
from promptbench.gate.clusters import clustered, clusters
from promptbench.stats.exact import excluded_rate, guards_needed

_MAX_NAMES = 3
_BREAK_RATES = (0.10, 0.05, 0.02, 0.01)


def fine_percent(share: float) -> str:
    """Format a bound with at most one decimal: a margin of 2.5 % must not look like one of 2 %."""
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def names(items: Sequence[ComparedCase]) -> str:
    """Return the first few case names."""
    return listed(items, lambda item: f"'{item.case.name}'")


def listed(items: Sequence[ComparedCase], describe: Callable[[ComparedCase], str]) -> str:
    """Describe the first few cases, and count the rest."""
    rest = f" and {len(items) - _MAX_NAMES} more" if len(items) > _MAX_NAMES else ""
    return ", ".join(describe(item) for item in items[:_MAX_NAMES]) + rest


def distinct_percents(one: float, other: float) -> tuple[str, str]:
    """Format two different shares with enough digits to differ."""
    if percent(one) != percent(other):
        return percent(one), percent(other)
    mine, theirs = distinct_numbers(one * 100, other * 100, 1)
    return f"{mine} %", f"{theirs} %"


def distinct_numbers(one: float, other: float, digits: int) -> tuple[str, str]:
    """Format two different numbers with at least `digits` decimals, and more if they look the same."""
    digits = next((d for d in range(digits, 6) if f"{one:.{d}f}" != f"{other:.{d}f}"), 6)
    return f"{one:.{digits}f}", f"{other:.{digits}f}"


def shares(answers: float | None, well_formed: float | None) -> str:
    """Return the shares of correct and of well-formed answers; None is left out."""
    said = [] if answers is None else [f"{percent(answers)} of answers are correct"]
    said += [] if well_formed is None else [f"{percent(well_formed)} are valid JSON"]
    return ", ".join(said) or "no answer is counted"


def below_floor(share: float, floor: float, what: str, setting: str) -> str:
    """Return how far a share is below the floor that a setting of the gate asks for."""
    is_, needs = distinct_percents(share, floor)
    return f"{is_} of answers {what}; {setting} needs {needs}"


def fixes(states: Sequence[ComparedCase], targets: Sequence[ComparedCase], fixed: Sequence[ComparedCase]) -> str:
    """Return how many of the failing cases are fixed."""
    if targets:
        return f"fixed {len(fixed)} of {number_of(len(targets), 'failing case')}"
    fleeting = sum(item.outcome is CaseOutcome.NOT_REPRODUCED for item in states)
    return "nothing to fix" + (f", {number_of(fleeting, 'failure')} not reproduced" if fleeting else "")


def nothing_fixed(targets: Sequence[ComparedCase]) -> str:
    """Return that no failing case is fixed."""
    if len(targets) == 1:
        return "the failing case is not fixed"
    return f"none of the {len(targets)} failing cases is fixed"


def kept(guards: Sequence[ComparedCase]) -> str:
    """Return that no passing case is broken."""
    if not guards:
        return "no passing cases, so nothing is known about what it may break"
    unstable = [item for item in guards if item.outcome is CaseOutcome.UNSTABLE]
    together = f" in {number_of(len(clusters(guards)), 'cluster')}" if clustered(guards) else ""
    return f"broken 0 of {number_of(len(guards), 'passing case')}{together}" + (
        f", {len(unstable)} unstable: {names(unstable)}" if unstable else ""
    )


def excluded(guards: Sequence[ComparedCase]) -> str:
    """Return the break rate that the stable clusters exclude without a margin, and what more cases would exclude."""
    clean = sum(all(item.outcome is not CaseOutcome.UNSTABLE for item in cluster) for cluster in clusters(guards))
    if not clean:
        return ""
    rate = excluded_rate(clean)
    said = f"; that excludes a break rate above {percent(rate)}"
    return said + "".join(
        f", {guards_needed(goal) - clean} more{' clusters' if clustered(guards) else ''} would exclude {percent(goal)}"
        for goal in next_goal(rate)
    )


def next_goal(rate: float) -> Iterator[float]:
    """Yield the next round break rate that is clearly below `rate`, if there is one."""
    yield from [goal for goal in _BREAK_RATES if goal < rate - 0.005][:1]


def unanswered(states: Sequence[ComparedCase]) -> str:
    """Return the cases without an answer, if any."""
    without = [item for item in states if item.outcome is CaseOutcome.NO_ANSWER]
    return f"; no answer for {names(without)}" if without else ""


def critical_unstable(items: Sequence[ComparedCase]) -> str:
    """Return the unstable critical cases with what they need, and whether more repeats would decide."""

    def describe(item: ComparedCase) -> str:
        ours = item.candidate
        return f"'{item.case.name}' passes {ours.passes} of {ours.total} tries and needs {passes_to_hold(item)}"

    counts = [count for count in map(repeats_to_break, items) if count]
    decide = "at these rates more repeats would not decide, a more reliable prompt would"
    if counts:
        decide = f"at these rates 'repeats: {min(counts)}' would prove it broken"
    return f"{len(items)} critical {plural('case', len(items))} unstable: {listed(items, describe)}; {decide}"


def expired(items: Sequence[ComparedCase]) -> str:
    """Return the cases whose quarantine has ended, and what to do."""
    word = plural("quarantine", len(items))
    cases = listed(items, lambda item: f"'{item.case.name}' on {item.case.review_by}")
    return f"{len(items)} {word} ended: {cases}; fix the case, or review it and set a later day"


def improved(items: Sequence[ComparedCase]) -> str:
    """Return the failing cases that improved without a proven fix, best first, with what they need."""
    ordered = sorted(items, key=lambda item: -item.candidate.passes / item.candidate.total)

    def describe(item: ComparedCase) -> str:
        passes, total, needed = item.candidate.passes, item.candidate.total, passes_to_fix(item)
        return f"'{item.case.name}' passes {passes} of {total} tries" + (f" and needs {needed}" if needed else "")

    word = number_of(len(items), "failing case")
    return f"{word} improved, no fix is proven: {listed(ordered, describe)}; {_more_repeats(items)}"


def _more_repeats(items: Sequence[ComparedCase]) -> str:
    counts = [count for count in map(repeats_to_fix, items) if count]
    if counts:
        return f"at these rates 'repeats: {min(counts)}' would decide"
    return "at these rates more repeats would not prove a fix, a better prompt would"
