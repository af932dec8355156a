"""Shared by all detectors: a sensitive span, and placeholder characters derived from its value."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ahocorasick_rs import AhoCorasick, BytesAhoCorasick

# A position after an escape in JSON that is kept as text, where the preceding letter is not part of a word.
AFTER_ESCAPE = r"(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})"

_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_MAX_CHARACTERS = 32
_MARK = "REDACTED"


@dataclass(frozen=True, slots=True)
class SensitiveSpan:
    """A part of a text and its placeholder, which is the same text if it is already a placeholder.

    `unique` is True if the value is found only by what is next to it, but can be nothing else in the same record.
    """

    start: int
    end: int
    placeholder: str
    kind: str
    unique: bool = False


def encode_shape(lower: str) -> bytes:
    """Return lower-case text in UTF-8, with 0 for each digit."""
    # Bytes, because translating a text that is not ASCII takes ten times as long.
    return lower.encode("utf-8", "surrogatepass").translate(_DIGITS)


@lru_cache(maxsize=4)
def shape_of(text: str) -> str:
    """Return `text` in lower case, with 0 for each digit, and of the same length."""
    lower = text.lower()
    if len(lower) != len(text):
        # Some capitals have lower-case forms of two characters.
        lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    return encode_shape(lower).decode("utf-8", "surrogatepass")


@lru_cache(maxsize=8)
def compile_marks(marks: tuple[str, ...]) -> AhoCorasick:
    """Return a search for `marks`, lower-case words with 0 for each digit, in the shape of a text.

    It finds all of them in the time in which `in` finds six.
    """
    from ahocorasick_rs import AhoCorasick

    return AhoCorasick(marks)


def compile_byte_marks(marks: tuple[str, ...]) -> BytesAhoCorasick:
    """Return a search for `marks` in `encode_shape`. It takes half as long, and has no positions in the text."""
    from ahocorasick_rs import BytesAhoCorasick, Implementation

    return BytesAhoCorasick([mark.encode() for mark in marks], implementation=Implementation.DFA)


class Digests:
    """Digits and letters for a value: always the same ones, and not reversible without the key.

    They are derived by HMAC-SHA256 over kind and value, so no table of values is stored anywhere.
    """

    def __init__(self, key: bytes) -> None:
        self.key = key
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

    def mask(self, value: str, head: str = "") -> str:
        """Return `head`, the mark and letters of the value's digest; as long as the value, if that is long enough."""
        if value.startswith(head + _MARK):
            return value
        return head + _MARK + self.letters("key", value, max(6, len(value) - len(head) - len(_MARK)))

    def reshape(self, kind: str, written: str) -> str:
        """Return letters for letters and digits for digits. The first half is X, x and 9, which marks a placeholder."""
        positions = [index for index, char in enumerate(written) if char.isalnum()]
        fixed = positions[: (len(positions) + 1) // 2]
        if all(written[index] in "Xx9" for index in fixed):
            return written
        made = list(written)
        # Two notations of one number, such as with and without spaces, get the same characters.
        value = "".join(written[index] for index in positions).upper()
        letters = iter(self.letters(kind, value, len(positions)))
        figures = iter(self.digits(kind, value, len(positions)))
        for index in positions:
            char = written[index]
            if char.isdigit():
                made[index] = "9" if index in fixed else next(figures)
            else:
                new = "x" if index in fixed else next(letters)
                made[index] = new.upper() if char.isupper() else new
        return "".join(made)

    def _derive(self, kind: str, value: str) -> int:
        return int.from_bytes(hmac.digest(self.key, f"{kind}:{value}".encode("utf-8", "surrogatepass"), "sha256"))
