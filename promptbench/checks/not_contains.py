"""not contains: the answer does not have this text in it.

What: fails when any of the given texts occurs in the answer; upper and lower case are the same.
When: something must never be said: an apology, a competitor, another customer's name.
Options: one text, or a list of texts of which none may occur.
Example:
    checks: [{not contains: [sorry, 'as an AI']}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks._words import quoted, texts, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

_TEXT: Json = {"type": ["string", "number", "boolean"]}
argument_schema: Json = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}


@dataclass(frozen=True, slots=True)
class NotContains:
    unwanted: tuple[str, ...]

    def score(self, subject: Subject) -> Score:
        text = subject.text.casefold()
        found = [item for item in self.unwanted if item.casefold() in text]
        return verdict("not contains", [f"{quoted(item)} is in the answer" for item in found])


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a text or a list of texts."""
    return NotContains(tuple(texts(argument)))
