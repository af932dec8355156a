"""answerable: the question has an answer, or has none and the model says so.

What: with `no` the answer must abstain: be empty or null, or say in its first sentence that it does not know or that
    the text does not say ("I don't know", "unanswerable", "not in the document", "does not mention" and the like, in
    English). With `yes` it must not: something has to be answered, right or wrong.
When: questions about a document, some of which it does not answer: a made-up answer is the worst one.
Options: yes or no, or: `is` yes or no; `at` the path in a JSON answer; `phrases` more ways to abstain, in any
    language.
Example:
    checks: [{answerable: no}]
"""

from dataclasses import dataclass

from promptbench.checks import _options
from promptbench.checks._paths import Path, optional, text_at, value_at
from promptbench.checks._phrases import (
    ABSTAINS,
    ABSTAINS_ALONE,
    PHRASES_SCHEMA,
    find_phrase,
    first_sentence,
    more_phrases,
    words,
)
from promptbench.checks._scores import mismatch, quoted, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject


@dataclass(frozen=True, slots=True)
class Answerable:
    answerable: bool
    path: Path | None
    phrases: tuple[str, ...]

    def score(self, subject: Subject) -> Score:
        text, problem = self._text(subject)
        if problem:
            return verdict("answerable", problem)
        if self._abstains(text) != self.answerable:
            return verdict("answerable")
        return verdict(
            "answerable",
            mismatch(
                "", "an answer" if self.answerable else "no answer, because the question has none", quoted(text[:200])
            ),
        )

    def _text(self, subject: Subject) -> tuple[str, str | None]:
        if self.path is None:
            return text_at(subject, None)
        value, problem = value_at(subject, self.path)
        return value.strip() if isinstance(value, str) else quoted(value), problem

    def _abstains(self, text: str) -> bool:
        if text in ("", "null", '""', "[]", "{}"):
            return True
        sentence = first_sentence(text)
        alone = words(sentence).strip() if len(text) < 200 else ""
        return alone in ABSTAINS_ALONE or find_phrase(sentence, (*ABSTAINS, *self.phrases)) is not None


def build(argument: Json, context: CheckContext) -> Check:
    given = _options.value_or_options(argument, "is", ("is", "at", "phrases"))
    if "is" not in given:
        raise ValueError("expected yes or no, as in 'answerable: no'")
    return Answerable(
        _options.yes(given["is"], "answerable"), optional(given.get("at")), more_phrases(given.get("phrases"))
    )


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        _options.YES_OR_NO,
        required=["is"],
        **{"is": _options.YES_OR_NO, "at": _options.PATH, "phrases": PHRASES_SCHEMA},
    ),
)
