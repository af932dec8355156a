"""A project's own patterns of data to redact."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from promptbench.redaction._placeholders import Digests, SensitiveSpan

_SECONDS = 1.0


class OwnPattern:
    """A regular expression for one kind of sensitive data.

    In a placeholder letters replace letters and digits replace digits. Its first half is X, x and 9, which marks it as
    a placeholder. Raise ValueError if the expression is invalid or matches the empty text.
    """

    def __init__(self, kind: str, pattern: str) -> None:
        self._kind = kind
        try:
            self._pattern = regex.compile(pattern)
        except regex.error as error:
            raise ValueError(f"is not a valid regular expression: {error}") from None
        if self._pattern.search("") is not None:
            raise ValueError("matches the empty text")

    def may_contain(self, text: str) -> bool:
        """Return True if `text` has a match. Raise TimeoutError after one second."""
        return self._pattern.search(text, timeout=_SECONDS) is not None

    def find(self, text: str, digests: Digests) -> Iterator[SensitiveSpan]:
        """Yield the matches; if the pattern has a group, the group."""
        for match in self._pattern.finditer(text, timeout=_SECONDS):
            start, end = match.span(1) if match.re.groups and match[1] else match.span()
            if start < end:
                yield SensitiveSpan(start, end, self._build_placeholder(text[start:end], digests), self._kind)

    def _build_placeholder(self, written: str, digests: Digests) -> str:
        positions = [index for index, char in enumerate(written) if char.isalnum()]
        fixed = positions[: (len(positions) + 1) // 2]
        if all(written[index] in "Xx9" for index in fixed):
            return written
        made = list(written)
        letters = iter(digests.letters(self._kind, written, len(positions)))
        figures = iter(digests.digits(self._kind, written, len(positions)))
        for index in positions:
            char = written[index]
            if char.isdigit():
                made[index] = "9" if index in fixed else next(figures)
            else:
                new = "x" if index in fixed else next(letters)
                made[index] = new.upper() if char.isupper() else new
        return "".join(made)
