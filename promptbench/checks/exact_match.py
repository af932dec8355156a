"""exact match: the answer is one of the right ones, as SQuAD compares them.

What: upper and lower case, punctuation, the articles a, an and the, and white space do not count; all other words do.
    Where the question has no answer (''), only an empty answer is right.
When: short answers to questions in English, measured as the SQuAD leaderboard does.
Options: the right answer or a list of them, or: `is` the same; `at` the place in a JSON answer; `ignore: citations`
    leaves marks such as [1] out of the comparison.
Example:
    checks: [{exact match: [Denver Broncos, the Broncos]}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _options
from promptbench.checks._answers import IGNORE, right_answers, uncited
from promptbench.checks._paths import Path, optional, text_at
from promptbench.checks._words import quoted, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score
from promptbench.metrics.squad import exact_match

_TEXT: Json = {"type": ["string", "number", "boolean"]}
_TEXTS: Json = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
argument_schema: Json = {
    "anyOf": [
        *_TEXTS["anyOf"],
        {
            "type": "object",
            "properties": {"is": _TEXTS, "at": {"type": ["string", "integer"]}, "ignore": IGNORE},
            "required": ["is"],
        },
    ]
}


@dataclass(frozen=True, slots=True)
class ExactMatch:
    right: tuple[str, ...]
    path: Path | None
    uncited: bool

    def text(self, subject: Subject) -> tuple[str, str | None]:
        """What is compared, and why that cannot be read."""
        text, problem = text_at(subject, self.path)
        return uncited(text) if self.uncited else text, problem

    def score(self, subject: Subject) -> Score:
        text, problem = self.text(subject)
        if problem:
            return verdict("exact match", [problem])
        wanted = " or ".join(map(quoted, self.right[:5]))
        equal = exact_match(text, self.right) == 1
        return verdict("exact match", [] if equal else [f"the answer is {quoted(text[:200])}, not {wanted}"])


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless there is a text or a list of texts."""
    given = _options.value_or_options(argument, "is", ("is", "at", "ignore"))
    without_marks = "ignore" in given and bool(_options.choice(given["ignore"], "ignore", ("citations",)))
    return ExactMatch(right_answers(given.get("is")), optional(given.get("at")), without_marks)
