"""Warn about prompts that contain the input of a case: an example that is also a case gives its answer away."""

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

# An input is looked up by its first characters; the whole is compared only if these are in the prompt.
_START = 12
# Shorter texts, such as 'artificial intelligence', occur in prompts by chance.
_WORDS = 4
_NO_SPACES = "\u2e80"
_HEAD = 200
_MOST = 1_000
_NAMED = 3


@dataclass(slots=True)
class _Hit:
    """An input that is in the prompt: the number of cases that have it, and the names of the first."""

    names: list[str]
    cases: int = 0


class Leaks:
    """Looks for each case's input in one prompt.

    The input is all texts of a case, except short ones: a country or a product's name may be in the prompt by chance.
    The same passage with another question is another input.
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
        """Return the normalized text if it is long enough and the prompt contains it."""
        if len(whole) < _START or _flat(whole[:_HEAD])[:_START] not in self._starts:
            return None
        text = _flat(whole)
        return text if _is_long(text) and self._contains(text) else None

    def _contains(self, text: str) -> bool:
        # Only between words, not as part of a longer one.
        at = self._text.find(text)
        while at >= 0:
            if _between_words(self._text, at) and _between_words(self._text, at + len(text)):
                return True
            at = self._text.find(text, at + 1)
        return False

    def report(self, found: Diagnostics) -> None:
        """Add one warning for the prompt. A text that half of the cases share is context, not an input."""
        hits = {text: hit for text, hit in self._hits.items() if hit.cases == 1 or hit.cases * 2 < self._cases}
        if not hits:
            return
        cases = sum(hit.cases for hit in hits.values())
        names = ", ".join(f"'{name}'" for name in [name for hit in hits.values() for name in hit.names][:_NAMED])
        label = self._variant.label
        message = f"an example in {label} is the input of the case {names} and gives its answer away"
        if cases > 1:
            which = f"{names} and {cases - _NAMED} more cases" if cases > _NAMED else f"the cases {names}"
            message = f"examples in {label} are the inputs of {which} and give their answers away"
        found.add(
            Code.CASE_IN_PROMPT,
            message,
            _location(self._variant.prompt, next(iter(hits))),
            hint="use an example that is not a case, or remove the case",
            severity=Severity.WARNING,
        )


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold()


def _is_long(text: str) -> bool:
    """Return True if a text has enough words. Scripts without spaces, from U+2E80 on, have about one per character."""
    return len(text) >= _START and text.count(" ") + 1 + sum(char >= _NO_SPACES for char in text) >= _WORDS


def _word_starts(text: str) -> Iterator[int]:
    return (at for at in range(len(text)) if _between_words(text, at))


def _between_words(text: str, at: int) -> bool:
    if at in (0, len(text)):
        return True
    before, after = text[at - 1], text[at]
    return not (before.isalnum() and after.isalnum() and max(before, after) < _NO_SPACES)


def _location(prompt: Prompt, flat: str) -> Location:
    words = r"\s+".join(map(re.escape, flat.split()))
    match = re.search(words, prompt.source, re.IGNORECASE)
    return (
        Source(prompt.file, prompt.source).location_at(match.start(), len(match[0])) if match else Location(prompt.file)
    )
