"""Warn about prompts that contain the input of a case: an example that is also a case gives its answer away."""

from __future__ import annotations

import re

from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.engine.prepare.lint.texts import static_text, texts_of
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.prompts.prompt import Prompt
from promptbench.suite.models import Case
from promptbench.yaml.source import Source

# An input is looked up by its first characters; the whole is compared only if these are in the prompt.
_START = 12
# Shorter texts, such as 'artificial intelligence', occur in prompts by chance.
_WORDS = 4
_NO_SPACES = "\u2e80"
_HEAD = 200
_MOST = 1_000
_NAMED = 3


class Leaks:
    """Looks for each case's input in one prompt.

    The input is all texts of a case, except short ones: a country or a product's name may be in the prompt by chance.
    The same passage with another question is another input.
    """

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._text = _flat(static_text(variant.prompt))
        starts = (at for at in range(len(self._text)) if _between_words(self._text, at))
        self._starts = {self._text[at : at + _START] for at in starts}
        self._hits: dict[str, list[str]] = {}  # The names of the cases by their input.
        self._cases = 0

    def look(self, case: Case) -> None:
        self._cases += 1
        texts = sorted(texts_of(case), key=len, reverse=True)
        longest = self._found(texts[0]) if texts else None
        if longest is None or not all(self._found(text) for text in texts[1:] if _is_long(_flat(text))):
            return
        if longest in self._hits or len(self._hits) < _MOST:
            self._hits.setdefault(longest, []).append(case.name)

    def _found(self, whole: str) -> str | None:
        if len(whole) < _START or _flat(whole[:_HEAD])[:_START] not in self._starts:
            return None
        text = _flat(whole)
        # Only whole words: "arm" is not in "farming".
        starts = (match.start() for match in re.finditer(f"(?={re.escape(text)})", self._text))
        inside = any(_between_words(self._text, at) and _between_words(self._text, at + len(text)) for at in starts)
        return text if _is_long(text) and inside else None

    def report(self, found: Diagnostics) -> None:
        """Add one warning for the prompt. A text that half of the cases share is context, not an input."""
        hits = {text: cases for text, cases in self._hits.items() if len(cases) == 1 or len(cases) * 2 < self._cases}
        if not hits:
            return
        found_names = [name for cases in hits.values() for name in cases]
        count, names = len(found_names), ", ".join(f"'{name}'" for name in found_names[:_NAMED])
        label = self._variant.label
        message = f"an example in {label} is the input of the case {names} and gives its answer away"
        if count > 1:
            which = f"{names} and {count - _NAMED} more cases" if count > _NAMED else f"the cases {names}"
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
    # Return True if a text has enough words. Scripts without spaces, from U+2E80 on, have about one per character.
    return len(text) >= _START and text.count(" ") + 1 + sum(char >= _NO_SPACES for char in text) >= _WORDS


def _between_words(text: str, at: int) -> bool:
    if at in (0, len(text)):
        return True
    before, after = text[at - 1], text[at]
    return not (before.isalnum() and after.isalnum() and max(before, after) < _NO_SPACES)


def _location(prompt: Prompt, flat: str) -> Location:
    match = re.search(r"\s+".join(map(re.escape, flat.split())), prompt.source, re.IGNORECASE)
    return (
        Source(prompt.file, prompt.source).location_at(match.start(), len(match[0])) if match else Location(prompt.file)
    )
