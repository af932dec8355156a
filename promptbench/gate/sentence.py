"""The wording of a verdict: shares, counts and case names as people read them.

To users a *target* is a failing case and a *guard* a passing case, both meaning the behaviour in production.
"""

from collections.abc import Callable, Iterator, Sequence

from promptbench.core.words import number_of, percent, plural
from promptbench.gate.case_outcomes import CaseOutcome, ComparedCase, clustered, clusters
from promptbench.gate.policy import LEVEL, NO_CORRECTION, HolmCorrection
from promptbench.gate.trial import NOTHING, Count, Trial
from promptbench.stats.exact import clopper_pearson_upper, guards_needed
from promptbench.stats.paired import Paired

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
        return "the failing case is not fixed; `gate: fixed: any` needs it"
    return f"none of the {len(targets)} failing cases is fixed; `gate: fixed: any` needs one"


def kept(guards: Sequence[ComparedCase]) -> str:
    """Return that no passing case is proven broken, and which may be."""
    if not guards:
        return "no passing cases, so nothing is known about what it may break"
    doubtful = [item for item in guards if item.doubtful]
    together = f" in {number_of(len(clusters(guards)), 'cluster')}" if clustered(guards) else ""
    return f"broken 0 of {number_of(len(guards), 'passing case')}{together}" + (
        f", {len(doubtful)} possibly broken: {names(doubtful)}" if doubtful else ""
    )


def excluded(guards: Sequence[ComparedCase]) -> str:
    """Return the break rate that the clusters exclude without a margin, and what more cases would exclude.

    A cluster with a case that is possibly broken counts as broken.
    """
    found = clusters(guards)
    doubtful = sum(any(item.doubtful for item in cluster) for cluster in found)
    if doubtful == len(found):
        return ""
    rate = clopper_pearson_upper(doubtful, len(found), 1 - LEVEL)
    said = f"; that excludes a break rate above {percent(rate)}"
    return said + "".join(
        f", {guards_needed(goal, broken=doubtful) - len(found)} more{' clusters' if clustered(guards) else ''} would "
        f"exclude {percent(goal)}"
        for goal in next_goal(rate)
    )


def change(difference: Paired) -> str:
    """Return the mean change of the share of passes, with its 95 % interval; empty for fewer than two cases."""
    if difference.count < 2:
        return ""
    low, high = difference.interval()
    return f"; mean change {_points(difference.mean)} points (95 % interval {_points(low)} to {_points(high)})"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}".replace("-", "−")


def next_goal(rate: float) -> Iterator[float]:
    """Yield the next round break rate that is clearly below `rate`, if there is one."""
    yield from [goal for goal in _BREAK_RATES if goal < rate - 0.005][:1]


def unanswered(states: Sequence[ComparedCase]) -> str:
    """Return the cases without an answer, if any."""
    without = [item for item in states if item.outcome is CaseOutcome.NO_ANSWER]
    return f"; no answer for {names(without)}" if without else ""


def lost(trial: Trial, there: str) -> str:
    """Return that the passing cases together pass less often, or may do so, by their screens."""
    total = sum((case.screen for case in trial.cases if not case.target), NOTHING)
    verb = "pass" if trial.lost else "may pass"
    shares = total.production / total.production_tries, total.candidate / total.candidate_tries
    before, after = distinct_percents(*shares)
    return f"passing cases together {verb} less often: {after} of tries, {before} {there} ({_p(trial.p_spread)})"


def unstable(items: Sequence[ComparedCase], there: str) -> str:
    """Return the cases that may be broken, with the tries that say so."""
    said = listed(items, lambda item: _tries(item, item.trial.loss if item.trial else NOTHING, there))
    return f"{number_of(len(items), 'case')} unstable, which means possibly broken: {said}; more tries decide"


def unproven(items: Sequence[ComparedCase], need: str, there: str, holm: HolmCorrection = NO_CORRECTION) -> str:
    """Return that no fix is proven, the best cases first; `need` is why each of them has to be fixed."""

    def tries(item: ComparedCase) -> Count:
        return item.trial.retest + item.trial.gain if item.trial else NOTHING

    ordered = sorted(items, key=lambda item: tries(item).p_better)
    said = listed(ordered, lambda item: f"{_tries(item, tries(item), there)} ({_p(tries(item).p_better)})")
    several = f" among {holm.candidates} candidates" if holm.candidates > 1 else ""
    what = f"{number_of(len(items), 'failing case')} {need}, and that is not proven" if need else "no fix is proven"
    decides = "more tries decide" if any(item.improved for item in items) else "a better prompt would be needed"
    return f"{what}{several}: {said}; {decides}"


def _tries(item: ComparedCase, count: Count, there: str) -> str:
    return (
        f"'{item.case.name}' passes {count.candidate} of {count.candidate_tries} tries, "
        f"{count.production} of {count.production_tries} {there}"
    )


def _p(p: float) -> str:
    return f"p = {p:.3f}" if p >= 0.0005 else "p < 0.001"


def expired(items: Sequence[ComparedCase]) -> str:
    """Return the cases whose quarantine has ended, and what to do."""
    word = plural("quarantine", len(items))
    cases = listed(items, lambda item: f"'{item.case.name}' on {item.case.review_by}")
    return f"{len(items)} {word} ended: {cases}; fix the case, or review it and set a later day"
