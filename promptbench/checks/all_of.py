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
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject


@dataclass(frozen=True, slots=True)
class AllOf:
    checks: tuple[Check, ...]

    def score(self, subject: Subject) -> Score:
        scores = [check.score(subject) for check in self.checks]
        failed = [score for score in scores if not score.passed]
        return Score("all of", not failed, fmean(score.value for score in scores), _nested.reasons(failed))


def build(argument: Json, context: CheckContext) -> Check:
    return AllOf(_nested.build_several(argument, context, "all of: [{contains: Paris}, json]"))


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=_nested.SEVERAL, fingerprint=_nested.fingerprints)
