"""Shared by all detectors: a sensitive span, and placeholder characters derived from its value."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase

# A position after an escape in JSON that is kept as text, where the preceding letter is not part of a word.
AFTER_ESCAPE = r"(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})"

_MAX_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class SensitiveSpan:
    """A part of a text and its placeholder, which is the same text if it is already a placeholder."""

    start: int
    end: int
    placeholder: str
    kind: str


class Digests:
    """Digits and letters for a value: always the same ones, and not reversible without the key.

    They are derived by HMAC-SHA256 over kind and value, so no table of values is stored anywhere.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._number = lru_cache(maxsize=4096)(self._derive)

    def digits(self, kind: str, value: str, count: int) -> str:
        """Return `count` decimal digits."""
        return str(self._number(kind, value) % 10**_MAX_CHARACTERS).zfill(_MAX_CHARACTERS)[:count].ljust(count, "0")

    def letters(self, kind: str, value: str, count: int) -> str:
        """Return `count` lower-case letters. They repeat after the first 32."""
        number, found = self._number(kind, value), []
        for _ in range(min(count, _MAX_CHARACTERS)):
            number, index = divmod(number, 26)
            found.append(ascii_lowercase[index])
        return ("".join(found) * (count // _MAX_CHARACTERS + 1))[:count]

    def _derive(self, kind: str, value: str) -> int:
        return int.from_bytes(hmac.digest(self._key, f"{kind}:{value}".encode("utf-8", "surrogatepass"), "sha256"))
