"""not: this check does not hold.

What: passes when the check inside fails, for whatever reason.
When: something must not be so, and no check says it the other way round, as `not contains` does.
Options: one check; `any of` in it for several of which none may hold.
Example:
    checks: [{not: {regex: '[0-9]{16}'}}]
"""

from dataclasses import dataclass

from promptbench.checks import _nested
from promptbench.checks._scores import quoted, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject


@dataclass(frozen=True, slots=True)
class Not:
    check: Check
    written: Json

    def score(self, subject: Subject) -> Score:
        passes = self.check.score(subject).passed
        return verdict("not", f"the answer passes {quoted(self.written)}, but must not" if passes else None)


def build(argument: Json, context: CheckContext) -> Check:
    if isinstance(argument, list) and len(argument) > 1:
        raise ValueError("give one check; 'not: {any of: […]}' says that none of several holds")
    only = argument[0] if isinstance(argument, list) and argument else argument
    return Not(_nested.build_nested(only, context), only)


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=_nested.ONE, fingerprint=_nested.fingerprints)
