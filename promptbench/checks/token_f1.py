"""token f1: the answer shares its words with a right one, as SQuAD measures it.

What: the F1 over the words of the answer and the best of the right ones, after the same normalising as `expect` with
    `ignore: squad`. If the question has no answer (''), only an empty answer is right.
When: answers to questions in English that may be a word longer or shorter than the right one.
Options: the right answer or a list of them, or: `is` the same; `at least` the score that is enough, such as 0.8 (1 by
    default); `at` the path in a JSON answer; `ignore: citations` leaves marks such as [1] out of the comparison.
Example:
    checks: [{token f1: {is: [Denver Broncos, the Broncos], at least: 0.8}}]
"""

from dataclasses import dataclass

from promptbench.checks import _normal, _options
from promptbench.checks._normal import Normal
from promptbench.checks._paths import Path, optional, text_at
from promptbench.checks._scores import graded, mismatch, quoted, verdict
from promptbench.metrics.squad import token_f1
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

_TEXTS: Json = {"anyOf": [_options.TEXT, {"type": "array", "items": _options.TEXT}]}


@dataclass(frozen=True, slots=True)
class TokenF1:
    right: tuple[str, ...]
    at_least: float
    path: Path | None
    normal: Normal

    def score(self, subject: Subject) -> Score:
        text, problem = text_at(subject, self.path)
        if problem:
            return verdict("token f1", problem)
        text = self.normal.text(text)
        reason = mismatch("", f"words of {' or '.join(map(quoted, self.right[:5]))}", quoted(text[:200]))
        return graded("token f1", token_f1(text, self.right), self.at_least, reason)


def build(argument: Json, context: CheckContext) -> Check:
    given = _options.value_or_options(argument, "is", ("is", "at least", "at", "ignore"))
    normal = _normal.normal(given.get("ignore"))
    return TokenF1(
        tuple(_options.right_answers(given.get("is"))), _options.at_least(given), optional(given.get("at")), normal
    )


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        *_TEXTS["anyOf"],
        required=["is"],
        **{"is": _TEXTS, "at_least": _options.AMOUNT, "at": _options.PATH, "ignore": _normal.SCHEMA},
    ),
)
