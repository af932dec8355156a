"""all of: every one of these checks holds.

What: passes when all the checks inside pass. The score is their mean.
When: inside of `any of` or `not`, where several checks belong together; elsewhere simply write them one below the
    other.
Options: a list of checks.
Example:
    checks: [{all of: [{contains: Paris}, {not: {contains: Lyon}}]}]
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from promptbench.checks import _nested
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = _nested.SEVERAL


@dataclass(frozen=True, slots=True)
class AllOf:
    checks: tuple[Check, ...]

    def score(self, subject: Subject) -> Score:
        scores = _nested.scores(self.checks, subject)
        failed = [score for score in scores if not score.passed]
        return Score("all of", not failed, fmean(score.value for score in scores), _nested.reasons(failed))


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a list of checks."""
    return AllOf(_nested.nested_list(argument, context, "all of: [{contains: Paris}, json]"))


def fingerprint(argument: Json, context: CheckContext) -> Json:
    """What the checks inside depend on besides their arguments."""
    return _nested.fingerprints(argument, context)
