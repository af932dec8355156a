"""contains: the answer has this text in it.

What: passes when every given text occurs in the answer; upper and lower case are the same.
When: a word, a name or a number must be mentioned.
Options: one text, or a list of texts of which all must occur.
Example:
    checks: [{contains: [refund, '14 days']}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks._words import quoted, texts, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

_TEXT: Json = {"type": ["string", "number", "boolean"]}
argument_schema: Json = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}


@dataclass(frozen=True, slots=True)
class Contains:
    wanted: tuple[str, ...]

    def score(self, subject: Subject) -> Score:
        text = subject.text.casefold()
        missing = [item for item in self.wanted if item.casefold() not in text]
        return verdict("contains", [f"{quoted(item)} is not in the answer" for item in missing])


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a text or a list of texts."""
    return Contains(tuple(texts(argument)))
