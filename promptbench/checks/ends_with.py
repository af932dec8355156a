"""ends with: the answer, or one of its paragraphs, ends with this.

What: compares without the white space at the end and double quotes around the whole; upper and lower case are the same.
When: a fixed closing line, a signature or a question must come last.
Options: a text. Or `text` or `variable` (the text of one of the case's `vars`), and `paragraph` (1, 2, … or `last`;
    there is one empty line between them).
Example:
    checks: [{ends with: Is there anything else I can help with?}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _paragraphs
from promptbench.checks._options import value_or_options
from promptbench.checks._words import quoted, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = {"anyOf": [_paragraphs.TEXT, {"type": "object", "properties": {**_paragraphs.PROPERTIES}}]}
_NAME = "ends with"


@dataclass(frozen=True, slots=True)
class EndsWith:
    wanted: _paragraphs.Wanted
    paragraph: int | None

    def score(self, subject: Subject) -> Score:
        wanted = self.wanted.of(subject)
        if wanted is None:
            return verdict(_NAME, [_paragraphs.missing(self.wanted)])
        part = _paragraphs.part(subject.text, self.paragraph)
        where = _paragraphs.where(self.paragraph)
        if part is None:
            return verdict(_NAME, [f"there is no {where}"])
        # A quote at the end may be the text's own, or belong to quotes around the whole answer.
        if any(end.casefold().endswith(wanted.casefold()) for end in (part, part.strip('"'))):
            return verdict(_NAME, [])
        return verdict(_NAME, [f"{where} ends with {quoted(part[-len(wanted) :])}, not {quoted(wanted)}"])


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a text, or these options."""
    given = value_or_options(argument, "text", ("text", "variable", "paragraph"))
    return EndsWith(_paragraphs.wanted(given), _paragraphs.number(given))
