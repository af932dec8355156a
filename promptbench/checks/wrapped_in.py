"""wrapped in: the whole answer is between these marks.

What: passes when the answer, without the white space around it, begins with the first mark and ends with the second.
When: the answer must be quoted, or marked from end to end.
Options: one mark for both sides, or a list of the two.
Example:
    checks: [{wrapped in: '"'}]
"""

from dataclasses import dataclass

from promptbench.checks import _options
from promptbench.checks._scores import mismatch, quoted, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject


@dataclass(frozen=True, slots=True)
class WrappedIn:
    left: str
    right: str

    def score(self, subject: Subject) -> Score:
        text = subject.text.strip()
        reasons = []
        if not text.startswith(self.left):
            reasons.append(mismatch("start", quoted(self.left), quoted(text[: len(self.left)])))
        if not text.endswith(self.right):
            reasons.append(mismatch("end", quoted(self.right), quoted(text[-len(self.right) :])))
        if not reasons and len(text) < len(self.left) + len(self.right):
            reasons.append(mismatch("", f"{quoted(self.left)} and {quoted(self.right)}", quoted(text)))
        return verdict("wrapped in", *reasons)


def build(argument: Json, context: CheckContext) -> Check:
    marks = [mark.strip() for mark in _options.texts(argument)]
    if not all(marks) or len(marks) > 2:
        raise ValueError("give one mark for both sides, or a list of two, as in \"wrapped in: ['<<', '>>']\"")
    if len(marks) == 1 and any(bracket in marks[0] for bracket in "()[]{}<>«»“”„"):
        raise ValueError(f"{quoted(marks[0])} looks different on the other side: give a list of the two")
    return WrappedIn(marks[0], marks[-1])


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema={"anyOf": [_options.TEXT, {"type": "array", "items": _options.TEXT, "minItems": 2, "maxItems": 2}]},
)
