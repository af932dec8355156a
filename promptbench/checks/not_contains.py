"""not contains: the answer does not have this text in it.

What: fails when any of the given texts occurs in the answer; upper and lower case are the same.
When: something must never be said: an apology, a competitor, another customer's name.
Options: one text, or a list of texts of which none may occur. Or `any of` (the same), `all of` (fails only when they
    all occur), `whole words: yes` (`rate` is then not found in `separate`) and `ignore`, as for `contains`.
Example:
    checks: [{not contains: [sorry, 'as an AI']}, {not contains: {any of: [war, rate], whole words: yes}}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks._mentions import Mentions, argument_schema, mentions
from promptbench.checks._words import quoted, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

__all__ = ["argument_schema", "build"]


@dataclass(frozen=True, slots=True)
class NotContains:
    unwanted: Mentions

    def score(self, subject: Subject) -> Score:
        any_of, all_of = self.unwanted.found(subject.text)
        reasons = [f"{quoted(item)} is in the answer" for item in any_of]
        if all_of and len(all_of) == len(self.unwanted.all_of):
            reasons.append(f"all of {', '.join(quoted(item) for item in all_of[:5])} are in the answer")
        return verdict("not contains", reasons)


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a text, a list of texts, or these options."""
    return NotContains(mentions(argument, "any of"))
