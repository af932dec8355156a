"""The words of a verdict: shares, counts and names as people read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from promptbench.core.words import number_of, percent, plural
from promptbench.gate.clusters import clustered, clusters
from promptbench.gate.flips import CaseFlip, Flip, passes_to_fix, passes_to_hold, repeats_to_break, repeats_to_fix
from promptbench.stats.exact import excluded_rate, guards_needed

_NAMED = 3


def fine_percent(share: float) -> str:
    """A bound for people, with a decimal where there is one: a margin of 2.5 % must not look like one of 2 %."""
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def names(items: Sequence[CaseFlip]) -> str:
    """The first few cases by name."""
    return listed(items, lambda item: f"'{item.case.name}'")


def listed(items: Sequence[CaseFlip], said: Callable[[CaseFlip], str]) -> str:
    """The first few cases, and how many more there are."""
    rest = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(said(item) for item in items[:_NAMED]) + rest


def apart(one: float, other: float) -> tuple[str, str]:
    """Two different shares with as many digits as it takes to tell them apart."""
    if percent(one) != percent(other):
        return percent(one), percent(other)
    mine, theirs = figures_apart(one * 100, other * 100, 1)
    return f"{mine} %", f"{theirs} %"


def figures_apart(one: float, other: float, digits: int) -> tuple[str, str]:
    """Two different numbers with at least so many digits behind the point, and more where they look the same."""
    digits = next((d for d in range(digits, 6) if f"{one:.{d}f}" != f"{other:.{d}f}"), 6)
    return f"{one:.{digits}f}", f"{other:.{digits}f}"


def fixes(states: Sequence[CaseFlip], targets: Sequence[CaseFlip], fixed: Sequence[CaseFlip], failure: str) -> str:
    """How many of the champion's failures are gone; `failure` is what one of them is called."""
    if targets:
        return f"{len(fixed)} of {number_of(len(targets), failure)} fixed"
    fleeting = sum(item.flip is Flip.NOT_REPRODUCED for item in states)
    return "nothing to fix" + (f", {number_of(fleeting, 'failure')} not reproduced" if fleeting else "")


def kept(guards: Sequence[CaseFlip]) -> str:
    """That no guard is broken."""
    n = len(guards)
    if not n:
        return "no guards, so nothing is known about what it may break"
    unstable = [item for item in guards if item.flip is Flip.UNSTABLE]
    together = f" in {number_of(len(clusters(guards)), 'cluster')}" if clustered(guards) else ""
    return f"none of {number_of(n, 'guard')}{together} broken" + (
        f" but {len(unstable)} unstable: {names(unstable)}" if unstable else ""
    )


def excluded(guards: Sequence[CaseFlip]) -> str:
    """What the clusters of guards that held exclude where no margin is set, and how many more would exclude more."""
    clean = sum(all(item.flip is not Flip.UNSTABLE for item in cluster) for cluster in clusters(guards))
    if not clean:
        return ""
    rate = excluded_rate(clean)
    said = f"; among cases like these that excludes a break rate above {percent(rate)}"
    goal = next((goal for goal in (0.10, 0.05, 0.02, 0.01) if goal < rate - 0.005), None)
    if goal is None:
        return said
    more = f"{guards_needed(goal) - clean} more" + (" clusters" if clustered(guards) else "")
    return f"{said}, {more} would make it {percent(goal)}"


def silent(states: Sequence[CaseFlip]) -> str:
    without = [item for item in states if item.flip is Flip.NO_ANSWER]
    return f"; no answer at {names(without)}" if without else ""


def shaky(items: Sequence[CaseFlip]) -> str:
    """Unstable cases with what they would need, and whether more repeats would decide."""

    def said(item: CaseFlip) -> str:
        ours = item.candidate
        return f"'{item.case.name}' passes {ours.passes} of {ours.total} tries and needs {passes_to_hold(item)}"

    counts = [count for count in map(repeats_to_break, items) if count]
    decide = "at these rates more repeats would not decide, a prompt that is steady there would"
    if counts:
        decide = f"at these rates 'repeats: {min(counts)}' would call it broken"
    return f"{len(items)} critical {plural('case', len(items))} unstable: {listed(items, said)}; {decide}"


def expired(items: Sequence[CaseFlip]) -> str:
    """Cases whose quarantine is over, and what becomes of them."""

    def said(item: CaseFlip) -> str:
        return f"'{item.case.name}' on {item.case.review_by}"

    word = plural("quarantine", len(items))
    return f"{len(items)} {word} ended: {listed(items, said)}; mend the case, or review it and set a later day"


def improved(items: Sequence[CaseFlip]) -> str:
    """Targets that improved without a fix, the best first, with what they would need."""
    ordered = sorted(items, key=lambda item: -item.candidate.passes / item.candidate.total)

    def said(item: CaseFlip) -> str:
        passes, total, needed = item.candidate.passes, item.candidate.total, passes_to_fix(item)
        return f"'{item.case.name}' passes {passes} of {total} tries" + (f" and needs {needed}" if needed else "")

    word = plural("failure", len(items))
    return f"{len(items)} {word} improved, none surely fixed: {listed(ordered, said)}; {_more(items)}"


def _more(items: Sequence[CaseFlip]) -> str:
    """How many repeats would make the improvement a fix, if its rate is what it seems."""
    counts = [count for count in map(repeats_to_fix, items) if count]
    if counts:
        return f"at these rates 'repeats: {min(counts)}' would decide"
    return "at these rates more repeats would not make it a fix, a better prompt would"
