"""Report what is wrong with `quarantine`, `repeats`, `only models` and `skip` of cases."""

from __future__ import annotations

from collections.abc import Sequence

from promptbench.core.clock import today
from promptbench.core.diagnostics import Code, Diagnostics, Severity, suggest
from promptbench.suite.models import Case, Suite

_CASES_PER_QUARANTINE = 20  # 5 %, so that a suite cannot be emptied case by case.


def max_quarantined(cases: int) -> int:
    """Return the number of cases that may be in quarantine in a suite with this many: 5 %, but at least one."""
    return max(1, cases // _CASES_PER_QUARANTINE)


def report_quarantine(quarantined: Sequence[Case], cases: int, found: Diagnostics) -> None:
    """Report what is wrong with the cases in quarantine of a suite with `cases` cases.

    An expired quarantine is a warning, because a run must report on the prompt, not on the calendar. The gate passes
    nothing until it is renewed or removed.
    """
    for case in quarantined:
        assert case.quarantine is not None
        if case.critical:
            found.add(
                Code.QUARANTINE,
                f"'{case.name}' is critical, so it cannot be in quarantine",
                case.where.location("quarantine", key=True),
                hint="remove the tag 'critical', or the quarantine",
            )
        if case.quarantine.review_by < today():
            found.add(
                Code.QUARANTINE,
                f"the quarantine of '{case.name}' expired on {case.quarantine.review_by}, so nothing passes",
                case.where.location("quarantine", "review_by"),
                hint=f"ask {case.quarantine.owner}: delete 'quarantine:', fix the case, or set a later day",
                severity=Severity.WARNING,
            )
    limit = max_quarantined(cases)
    if len(quarantined) > limit:
        found.add(
            Code.QUARANTINE,
            f"{len(quarantined)} of {cases} cases are in quarantine, expected at most {limit}",
            quarantined[limit].where.location("quarantine", key=True),
            hint="at most 5 % of a suite, or one case: fix the others, or delete them",
        )


def report_terms(suite: Suite, case: Case, found: Diagnostics) -> None:
    """Report what is wrong with `repeats`, `only models` and `skip` of a case."""
    names, usual = [entry.name for entry in suite.models], suite.gate.repeats
    for index, name in enumerate(case.only_models):
        if names and name not in names:
            found.add(
                Code.UNKNOWN_MODEL,
                f"'{name}' is not one of the suite's models",
                case.where.location("only_models", index),
                hint=suggest(name, names, f"models here: {', '.join(names)}"),
            )
    if case.repeats is not None and case.repeats < usual:
        found.add(
            Code.BAD_VALUE,
            f"'repeats: {case.repeats}' changes nothing: the gate calls every case {usual} times",
            case.where.location("repeats"),
            severity=Severity.WARNING,
        )
    if case.skip:
        found.add(
            Code.SKIPPED,
            f"'{case.name}' is {'critical, so it cannot be ' if case.critical else ''}skipped: {case.skip}",
            case.where.location("skip"),
            hint="remove the tag 'critical', or 'skip:'" if case.critical else None,
            severity=Severity.ERROR if case.critical else Severity.WARNING,
        )
