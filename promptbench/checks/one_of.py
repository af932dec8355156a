"""one of: the answer is one of these texts.

What: compares the answer's text, without the white space around it, with each of the list.
When: the model chooses from a fixed set, or several wordings are right.
Options: a list of texts.
Example:
    checks: [{one of: [billing, delivery, other]}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks._words import quoted, texts, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}


@dataclass(frozen=True, slots=True)
class OneOf:
    allowed: tuple[str, ...]

    def score(self, subject: Subject) -> Score:
        got = subject.text.strip()
        if got in self.allowed:
            return verdict("one of", [])
        return verdict("one of", [f"the answer is {quoted(got)}, none of {', '.join(map(quoted, self.allowed))}"])


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a list of texts."""
    if not isinstance(argument, list):
        raise ValueError("give a list of texts, as in 'one of: [yes please, no]'")
    return OneOf(tuple(item.strip() for item in texts(argument)))
