"""answerable: the question has an answer, or has none and the model says so.

What: with `no` the answer must abstain: be empty or null, or say in its first sentence that it does not know or that
    the text does not tell ("I don't know", "unanswerable", "not in the document", "does not mention" and the like, in
    English). With `yes` it must not: something has to be answered, right or wrong.
When: questions about a document, some of which it does not answer: a made-up answer is the worst one.
Options: yes or no, or: `is` yes or no; `at` the place in a JSON answer; `phrases` more ways to abstain, in any
    language.
Example:
    checks: [{answerable: no}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _options
from promptbench.checks._paths import Path, optional, text_at, value_at
from promptbench.checks._phrases import ABSTAINS, ABSTAINS_ALONE, first_sentence, more_phrases, spoken, words
from promptbench.checks._words import quoted, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

_KNOWN = ("is", "at", "phrases")
_YES: Json = {"enum": ["yes", "no", True, False]}
argument_schema: Json = {
    "anyOf": [
        _YES,
        {
            "type": "object",
            "properties": {
                "is": _YES,
                "at": {"type": ["string", "integer"]},
                "phrases": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["is"],
        },
    ]
}
_EMPTY = ("", "null", '""', "[]", "{}")


@dataclass(frozen=True, slots=True)
class Answerable:
    answerable: bool
    path: Path | None
    phrases: tuple[str, ...]

    def score(self, subject: Subject) -> Score:
        text, problem = self._text(subject)
        if problem:
            return verdict("answerable", [problem])
        abstains = self._abstains(text)
        if abstains and self.answerable:
            return verdict(
                "answerable", [f"the question has an answer, and the model gives none: {quoted(text[:200])}"]
            )
        if not abstains and not self.answerable:
            return verdict("answerable", [f"the question has no answer, and the model gives one: {quoted(text[:200])}"])
        return verdict("answerable", [])

    def _text(self, subject: Subject) -> tuple[str, str | None]:
        if self.path is None:
            return text_at(subject, None)
        value, problem = value_at(subject, self.path)
        return value.strip() if isinstance(value, str) else quoted(value), problem

    def _abstains(self, text: str) -> bool:
        if text in _EMPTY:
            return True
        said = first_sentence(text)
        alone = words(said).strip() if len(text) < 200 else ""
        return alone in ABSTAINS_ALONE or spoken(said, (*ABSTAINS, *self.phrases)) is not None


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless it is said whether the question has an answer."""
    given = _options.value_or_options(argument, "is", _KNOWN)
    if "is" not in given:
        raise ValueError("say yes or no, as in 'answerable: no'")
    answerable = _options.yes(given["is"], "answerable")
    return Answerable(answerable, optional(given.get("at")), more_phrases(given.get("phrases")))
