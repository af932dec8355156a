"""any of: at least one of these checks holds.

What: passes when one of the checks inside passes. The score is the best of theirs.
When: an answer may be right in more than one way that `expect` cannot say.
Options: a list of checks.
Example:
    checks: [{any of: [{answerable: no}, {contains: 14 days}]}]
"""

from dataclasses import dataclass

from promptbench.checks import _nested
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject


@dataclass(frozen=True, slots=True)
class AnyOf:
    checks: tuple[Check, ...]

    def score(self, subject: Subject) -> Score:
        scores = [check.score(subject) for check in self.checks]
        passed = any(score.passed for score in scores)
        reason = "" if passed else f"none of {len(scores)} holds: {_nested.reasons(scores)}"
        return Score("any of", passed, max(score.value for score in scores), reason)


def build(argument: Json, context: CheckContext) -> Check:
    return AnyOf(_nested.build_several(argument, context, "any of: [{contains: Paris}, {answerable: no}]"))


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=_nested.SEVERAL, fingerprint=_nested.fingerprints)
