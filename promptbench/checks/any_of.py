"""any of: at least one of these checks holds.

What: passes when one of the checks inside passes. The score is the best of theirs.
When: an answer may be right in more than one way that `one of` cannot say.
Options: a list of checks.
Example:
    checks: [{any of: [{answerable: no}, {contains: 14 days}]}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _nested
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = _nested.SEVERAL


@dataclass(frozen=True, slots=True)
class AnyOf:
    checks: tuple[Check, ...]

    def score(self, subject: Subject) -> Score:
        scores = _nested.scores(self.checks, subject)
        passed = any(score.passed for score in scores)
        reason = "" if passed else f"none of {len(scores)} holds: {_nested.reasons(scores)}"
        return Score("any of", passed, max(score.value for score in scores), reason)


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a list of checks."""
    return AnyOf(_nested.nested_list(argument, context, "any of: [{contains: Paris}, {answerable: no}]"))


def fingerprint(argument: Json, context: CheckContext) -> Json:
    """What the checks inside depend on besides their arguments."""
    return _nested.fingerprints(argument, context)
