"""contains: the answer has this text in it.

What: passes when every given text occurs in the answer; upper and lower case are the same.
When: a word, a name or a number must be mentioned.
Options: one text, or a list of texts of which all must occur. Or `all of` and `any of` (each a text or a list), with
    `whole words: yes` (`rate` is then not found in `separate`) and `ignore` (`case` unless you say otherwise,
    `nothing`, or a list of `case`, `accents`, `punctuation`, `white space`, `unicode`).
Example:
    checks: [{contains: [refund, '14 days']}, {contains: {any of: [yes, no], whole words: yes}}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks._mentions import Mentions, argument_schema, mentions
from promptbench.checks._words import quoted, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

__all__ = ["argument_schema", "build"]


@dataclass(frozen=True, slots=True)
class Contains:
    wanted: Mentions

    def score(self, subject: Subject) -> Score:
        any_of, all_of = self.wanted.found(subject.text)
        missing = [written for written, _ in self.wanted.all_of if written not in all_of]
        reasons = [f"{quoted(item)} is not in the answer" for item in missing]
        if self.wanted.any_of and not any_of:
            reasons.append(f"none of {', '.join(quoted(item) for item, _ in self.wanted.any_of[:5])} is in the answer")
        return verdict("contains", reasons)


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a text, a list of texts, or these options."""
    return Contains(mentions(argument, "all of"))
