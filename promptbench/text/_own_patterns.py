"""A project's own patterns of what must not be kept."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from promptbench.text._placeholders import Digests, SensitiveSpan

_SECONDS = 1.0


class OwnPattern:
    """A regular expression and the kind that it finds.

    Letters become letters and digits digits. The first half of the placeholder are X, x and 9, by which it is known
    again. Raises ValueError when the expression is none, or matches the empty text.
    """

    def __init__(self, kind: str, pattern: str) -> None:
        self._kind = kind
        try:
            self._pattern = regex.compile(pattern)
        except regex.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        if self._pattern.search("") is not None:
            raise ValueError("matches the empty text")

    def suspicious(self, text: str) -> bool:
        """Whether it is in `text`. Raises TimeoutError when that takes longer than a second."""
        return self._pattern.search(text, timeout=_SECONDS) is not None

    def find(self, text: str, digests: Digests) -> Iterator[SensitiveSpan]:
        """What it finds in `text`; of a pattern with a group, the group."""
        for match in self._pattern.finditer(text, timeout=_SECONDS):
            start, end = match.span(1) if match.re.groups and match[1] else match.span()
            if start < end:
                yield SensitiveSpan(start, end, self._placeholder(text[start:end], digests), self._kind)

    def _placeholder(self, written: str, digests: Digests) -> str:
        places = [index for index, char in enumerate(written) if char.isalnum()]
        fixed = places[: (len(places) + 1) // 2]
        if all(written[index] in "Xx9" for index in fixed):
            return written
        made = list(written)
        letters = iter(digests.letters(self._kind, written, len(places)))
        figures = iter(digests.digits(self._kind, written, len(places)))
        for index in places:
            char = written[index]
            if char.isdigit():
                made[index] = "9" if index in fixed else next(figures)
            else:
                new = "x" if index in fixed else next(letters)
                made[index] = new.upper() if char.isupper() else new
        return "".join(made)
