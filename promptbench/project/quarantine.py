"""Cases in quarantine: set apart by their authors, under rules that keep a suite from emptying itself."""

from __future__ import annotations

from collections.abc import Sequence

from promptbench.core.clock import today
from promptbench.core.diagnostics import Code, Diagnostics, Severity
from promptbench.suite.models import Case

_MOST = 20  # One case in so many may be in quarantine, which is 5 %; in a smaller suite one.


def allowed(cases: int) -> int:
    """How many cases of a suite may be in quarantine: 5 %, or one where that is less than one."""
    return max(1, cases // _MOST)


def report_quarantine(apart: Sequence[Case], cases: int, found: Diagnostics) -> None:
    """What is wrong with the cases in quarantine of a suite with so many cases.

    One that is over is a warning and not an error: the suite is as its author meant it, and a run must say what is
    wrong with the prompt, not with the calendar. The gate passes nothing until it is renewed or lifted.
    """
    for case in apart:
        assert case.quarantine is not None
        if case.critical:
            message = f"'{case.name}' is critical, so it cannot be in quarantine"
            hint = "take away the tag 'critical', or the quarantine"
            found.add(Code.QUARANTINE, message, case.where.location("quarantine", key=True), hint=hint)
        if case.quarantine.review_by < today():
            message = f"the quarantine of '{case.name}' ended on {case.quarantine.review_by}, so nothing passes"
            hint = f"{case.quarantine.owner} looks at it: delete 'quarantine:', mend the case, or set a later day"
            location = case.where.location("quarantine", "review_by")
            found.add(Code.QUARANTINE, message, location, hint=hint, severity=Severity.WARNING)
    if len(apart) > allowed(cases):
        last = apart[allowed(cases)]
        message = f"{len(apart)} of {cases} cases are in quarantine, and at most {allowed(cases)} may be"
        hint = "5 % of a suite, or one case in a small one: mend the others, or delete them"
        found.add(Code.QUARANTINE, message, last.where.location("quarantine", key=True), hint=hint)
