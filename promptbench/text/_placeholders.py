"""What the finders of sensitive text share: a finding, and digits and letters that a value alone decides."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase

AFTER_ESCAPE = r"(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})"
"""Behind an escape in JSON that is kept as text, where the letter before is none of a word. For regular expressions."""

_MOST = 32


@dataclass(frozen=True, slots=True)
class SensitiveSpan:
    """A stretch of a text, and what to write in its place; the same text again where that is a placeholder already."""

    start: int
    end: int
    placeholder: str
    kind: str


class Digests:
    """Digits and letters that stand for a value: always the same, and not to be traced back without the key.

    They are derived (HMAC-SHA256 over kind and value), so that no table of values has to be kept anywhere.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._number = lru_cache(maxsize=4096)(self._derived)

    def digits(self, kind: str, value: str, count: int) -> str:
        """`count` decimal digits."""
        return str(self._number(kind, value) % 10**_MOST).zfill(_MOST)[:count].ljust(count, "0")

    def letters(self, kind: str, value: str, count: int) -> str:
        """`count` small letters; behind the first 32 they repeat."""
        number, found = self._number(kind, value), []
        for _ in range(min(count, _MOST)):
            number, index = divmod(number, 26)
            found.append(ascii_lowercase[index])
        return ("".join(found) * (count // _MOST + 1))[:count]

    def _derived(self, kind: str, value: str) -> int:
        return int.from_bytes(hmac.digest(self._key, f"{kind}:{value}".encode("utf-8", "surrogatepass"), "sha256"))
