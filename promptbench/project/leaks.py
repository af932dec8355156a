"""Whether a prompt contains the input of a case: an example that is also a question gives its answer away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.formats.source import Source
from promptbench.project.bench import Variant
from promptbench.project.texts import static_text, texts_of
from promptbench.prompts.prompt import Prompt
from promptbench.suite.models import Case

_START = 12  # Characters by which an input is looked up; the whole is compared only where these are in the prompt.
# Fewer words are too common to be the question itself: a prompt may well speak of 'artificial intelligence'.
_WORDS = 4
_NO_BLANKS = "\u2e80"
_HEAD = 200
_MOST = 1_000
_NAMED = 3


@dataclass(slots=True)
class _Hit:
    """An input that is in the prompt: how many cases have it, and the names of the first."""

    names: list[str]
    cases: int = 0


class Leaks:
    """Looks for each case's input in one prompt. The input is all the texts of a case but the short ones, which may
    well be in the prompt too: a country, a product's name. A passage with another question is another input.
    """

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._text = _flat(static_text(variant.prompt))
        self._starts = {self._text[at : at + _START] for at in _word_starts(self._text)}
        self._hits: dict[str, _Hit] = {}
        self._cases = 0

    def look(self, case: Case) -> None:
        self._cases += 1
        texts = sorted(texts_of(case), key=len, reverse=True)
        longest = self._found(texts[0]) if texts else None
        if longest is None or not all(self._found(text) for text in texts[1:] if _is_long(_flat(text))):
            return
        if longest in self._hits or len(self._hits) < _MOST:
            hit = self._hits.setdefault(longest, _Hit([]))
            hit.cases += 1
            hit.names += [case.name] if hit.cases <= _NAMED else []

    def _found(self, whole: str) -> str | None:
        """A long text that the prompt has, as it is there."""
        if len(whole) < _START or _flat(whole[:_HEAD])[:_START] not in self._starts:
            return None
        text = _flat(whole)
        return text if _is_long(text) and self._contains(text) else None

    def _contains(self, text: str) -> bool:
        """Whether the prompt has the text, not as a part of longer words."""
        at = self._text.find(text)
        while at >= 0:
            if _between_words(self._text, at) and _between_words(self._text, at + len(text)):
                return True
            at = self._text.find(text, at + 1)
        return False

    def report(self, found: Diagnostics) -> None:
        """One warning a prompt. A text that half of the cases have is a setting and not a question."""
        hits = {text: hit for text, hit in self._hits.items() if hit.cases == 1 or hit.cases * 2 < self._cases}
        if not hits:
            return
        cases = sum(hit.cases for hit in hits.values())
        names = ", ".join(f"'{name}'" for name in [name for hit in hits.values() for name in hit.names][:_NAMED])
        label = self._variant.label
        message = f"an example in {label} is the input of the case {names}, whose answer it gives away"
        if cases > 1:
            which = f"{names} and {cases - _NAMED} more cases" if cases > _NAMED else f"the cases {names}"
            message = f"examples in {label} are the inputs of {which}, whose answers they give away"
        found.add(
            Code.CASE_IN_PROMPT,
            message,
            _location(self._variant.prompt, next(iter(hits))),
            hint="take an example that is no case, or take the case out",
            severity=Severity.WARNING,
        )


def _flat(text: str) -> str:
    """Text without the differences that nobody means: case and white space."""
    return " ".join(text.split()).casefold()


def _is_long(text: str) -> bool:
    """Whether a text has enough words; scripts without blanks, from U+2E80 on, have about a word a character."""
    return len(text) >= _START and text.count(" ") + 1 + sum(char >= _NO_BLANKS for char in text) >= _WORDS


def _word_starts(text: str) -> Iterator[int]:
    return (at for at in range(len(text)) if _between_words(text, at))


def _between_words(text: str, at: int) -> bool:
    """Whether no word goes on across an offset."""
    if at in (0, len(text)):
        return True
    before, after = text[at - 1], text[at]
    return not (before.isalnum() and after.isalnum() and max(before, after) < _NO_BLANKS)


def _location(prompt: Prompt, flat: str) -> Location:
    """Where the text starts in the prompt's file."""
    words = r"\s+".join(map(re.escape, flat.split()))
    match = re.search(words, prompt.source, re.IGNORECASE)
    return (
        Source(prompt.file, prompt.source).location_at(match.start(), len(match[0])) if match else Location(prompt.file)
    )
