"""wrapped in: the whole answer stands between these marks.

What: passes when the answer, without the white space around it, begins with the first mark and ends with the second.
When: the answer must be quoted, or marked from end to end.
Options: one mark that stands on both sides, or a list of the two.
Example:
    checks: [{wrapped in: '"'}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks._words import quoted, texts, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

_MARK: Json = {"type": ["string", "number", "boolean"]}
argument_schema: Json = {"anyOf": [_MARK, {"type": "array", "items": _MARK, "minItems": 2, "maxItems": 2}]}


@dataclass(frozen=True, slots=True)
class WrappedIn:
    left: str
    right: str

    def score(self, subject: Subject) -> Score:
        text = subject.text.strip()
        reasons = []
        if not text.startswith(self.left):
            reasons.append(f"the answer begins with {quoted(text[: len(self.left)])}, not {quoted(self.left)}")
        if not text.endswith(self.right):
            reasons.append(f"the answer ends with {quoted(text[-len(self.right) :])}, not {quoted(self.right)}")
        if not reasons and len(text) < len(self.left) + len(self.right):
            reasons.append(f"the answer is {quoted(text)} alone")
        return verdict("wrapped in", reasons)


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is one mark or two."""
    marks = [mark.strip() for mark in texts(argument)]
    if not all(marks) or len(marks) > 2:
        raise ValueError("give one mark for both sides, or a list of two, as in \"wrapped in: ['<<', '>>']\"")
    if len(marks) == 1 and any(bracket in marks[0] for bracket in "()[]{}<>«»“”„"):
        raise ValueError(f"{quoted(marks[0])} looks different on the other side: give a list of the two")
    return WrappedIn(marks[0], marks[-1])
