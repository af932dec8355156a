"""not: this check does not hold.

What: passes when the check inside fails, for whatever reason.
When: something must not be so, and no check says it the other way round, as `not contains` does.
Options: one check; `any of` in it for several of which none may hold.
Example:
    checks: [{not: {regex: '[0-9]{16}'}}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _nested
from promptbench.checks._words import quoted, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = _nested.ONE


@dataclass(frozen=True, slots=True)
class Not:
    check: Check
    written: Json

    def score(self, subject: Subject) -> Score:
        holds = self.check.score(subject).passed
        return verdict("not", [f"the answer passes {quoted(self.written)}, which it must not"] if holds else [])


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a check."""
    if isinstance(argument, list) and len(argument) > 1:
        raise ValueError("give one check; 'not: {any of: […]}' says that none of several holds")
    only = argument[0] if isinstance(argument, list) and argument else argument
    return Not(_nested.nested(only, context), only)


def fingerprint(argument: Json, context: CheckContext) -> Json:
    """What the checks inside depend on besides their arguments."""
    return _nested.fingerprints(argument, context)
