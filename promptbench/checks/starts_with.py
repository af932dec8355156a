"""starts with: the answer, or one of its paragraphs, begins with this.

What: compares without the white space at the start; upper and lower case are the same.
When: a greeting, a fixed opening or the repeated request must come first.
Options: a text. Or `text`, `word` (the first word is this one, without quotes before it and punctuation behind it) or
    `variable` (the text of one of the case's `vars`), and `paragraph` (1, 2, … or `last`; there is one empty line
    between them).
Example:
    checks: [{starts with: Dear}, {starts with: {word: However, paragraph: 2}}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _paragraphs
from promptbench.checks._options import text, value_or_options
from promptbench.checks._words import quoted, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = {
    "anyOf": [
        _paragraphs.TEXT,
        {"type": "object", "properties": {**_paragraphs.PROPERTIES, "word": _paragraphs.TEXT}},
    ]
}
_NAME = "starts with"
_ENDS_A_WORD = ".,?!'\""


@dataclass(frozen=True, slots=True)
class StartsWith:
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
        if part.casefold().startswith(wanted.casefold()):
            return verdict(_NAME, [])
        return verdict(_NAME, [f"{where} starts with {quoted(part[: len(wanted)])}, not {quoted(wanted)}"])


@dataclass(frozen=True, slots=True)
class StartsWithWord:
    wanted: str
    paragraph: int | None

    def score(self, subject: Subject) -> Score:
        part = _paragraphs.part(subject.text, self.paragraph)
        where = _paragraphs.where(self.paragraph)
        if part is None:
            return verdict(_NAME, [f"there is no {where}"])
        word = _first_word(part)
        if word.lower() == self.wanted.lower():
            return verdict(_NAME, [])
        return verdict(_NAME, [f"the first word of {where} is {quoted(word)}, not {quoted(self.wanted)}"])


def _first_word(text: str) -> str:
    """Up to white space or punctuation, without quotes before it: single ones first, as IFEval takes them off."""
    words = text.split(maxsplit=1)
    word = words[0].lstrip("'").lstrip('"') if words else ""
    return word[: next((index for index, char in enumerate(word) if char in _ENDS_A_WORD), len(word))]


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a text, or these options."""
    given = value_or_options(argument, "text", ("text", "word", "variable", "paragraph"))
    paragraph = _paragraphs.number(given)
    if "word" not in given:
        return StartsWith(_paragraphs.wanted(given), paragraph)
    word = text(given["word"], "word").strip()
    if given.keys() & {"text", "variable"}:
        raise ValueError("give one of 'text', 'word' and 'variable'")
    if any(char.isspace() or char in _ENDS_A_WORD for char in word):
        raise ValueError(f"{quoted(word)} is not one word: write it under 'text'")
    return StartsWithWord(word, paragraph)
