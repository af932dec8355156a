"""token f1: the answer shares its words with a right one, as SQuAD measures it.

What: the F1 over the words of the answer and the best of the right ones, after the same normalising as `exact match`.
    Where the question has no answer (''), only an empty answer is right.
When: answers to questions in English that may be a word longer or shorter than the right one.
Options: the right answer or a list of them, or: `is` the same; `at least` the score that is enough, such as 0.8 (1 as a
    rule); `at` the place in a JSON answer; `ignore: citations` leaves marks such as [1] out of the comparison.
Example:
    checks: [{token f1: {is: [Denver Broncos, the Broncos], at least: 0.8}}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _options
from promptbench.checks._answers import IGNORE, right_answers, uncited
from promptbench.checks._graded import failed, graded
from promptbench.checks._paths import Path, optional, text_at
from promptbench.checks._words import quoted
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score
from promptbench.metrics.squad import token_f1

_TEXT: Json = {"type": ["string", "number", "boolean"]}
_TEXTS: Json = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
argument_schema: Json = {
    "anyOf": [
        *_TEXTS["anyOf"],
        {
            "type": "object",
            "properties": {
                "is": _TEXTS,
                "at least": {"type": ["number", "string"]},
                "at": {"type": ["string", "integer"]},
                "ignore": IGNORE,
            },
            "required": ["is"],
        },
    ]
}


@dataclass(frozen=True, slots=True)
class TokenF1:
    right: tuple[str, ...]
    at_least: float
    path: Path | None
    uncited: bool

    def text(self, subject: Subject) -> tuple[str, str | None]:
        """What is compared, and why that cannot be read."""
        text, problem = text_at(subject, self.path)
        return uncited(text) if self.uncited else text, problem

    def score(self, subject: Subject) -> Score:
        text, problem = self.text(subject)
        if problem:
            return failed("token f1", problem)
        wanted = " or ".join(map(quoted, self.right[:5]))
        reason = f"the answer is {quoted(text[:200])}, too far from {wanted}"
        return graded("token f1", token_f1(text, self.right), self.at_least, reason)


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless there is a text or a list of texts."""
    given = _options.value_or_options(argument, "is", ("is", "at least", "at", "ignore"))
    at_least = _options.share(given["at least"], "at least") if "at least" in given else 1.0
    without_marks = "ignore" in given and bool(_options.choice(given["ignore"], "ignore", ("citations",)))
    return TokenF1(right_answers(given.get("is")), at_least, optional(given.get("at")), without_marks)
