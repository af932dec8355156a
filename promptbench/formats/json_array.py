"""The items of an array in a JSON document of any size, one at a time.

Each item is read by the standard library's scanner as soon as it is there as a whole. Parsers that work by events keep
the path to where they are; on deep nesting those of the `ijson` package take quadratic memory, which a log may not.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from promptbench.core.types import Json
from promptbench.formats import _strict

_CHUNK = 1024 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_KEY = json.JSONDecoder()


class BrokenArray(ValueError):
    """The document cannot be read any further. Its text says why."""


def iterate_array(file: BinaryIO, at: Sequence[str], *, most: int, depth: int) -> Iterator[Json]:
    """The items of the array to which the keys `at` lead, in UTF-8; none where there is no such array.

    A comma behind the last item is let pass: exporters leave one. Raises Broken where the text is no JSON, and for an
    item of more than `most` characters or `depth` levels.
    """
    document = _Document(file, most, depth)
    for key in at:
        if not document.enter(key):
            return
    if not document.skip("["):
        return
    while not document.skip("]"):
        yield document.value()
        if not document.skip(","):
            if not document.skip("]"):
                raise BrokenArray("not JSON from here on")
            return


def read_keys(text: str) -> tuple[str, ...]:
    """The keys of the outermost object, as far as the beginning of a document shows them."""
    found: list[str] = []
    place = _behind_space(text, 0)
    if text[place : place + 1] != "{":
        return ()
    place = _behind_space(text, place + 1)
    try:
        while text[place : place + 1] == '"':
            key, place = _KEY.raw_decode(text, place)
            found.append(key)
            place = _behind_space(text, place)
            _, place = _KEY.raw_decode(text, _behind_space(text, place + 1))
            place = _behind_space(text, _behind_space(text, place) + 1)
    except (ValueError, RecursionError):
        pass  # a beginning ends anywhere
    return tuple(found)


class _Document:
    """The text from some place on, read further when it is needed."""

    def __init__(self, file: BinaryIO, most: int, depth: int) -> None:
        self._file = file
        self._most = most
        self._depth = depth
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._place = 0
        self._ended = False

    def skip(self, char: str) -> bool:
        """Whether `char` is next, behind white space; then it is behind us."""
        while True:
            self._place = _behind_space(self._text, self._place)
            if self._place < len(self._text) or not self._more(_CHUNK):
                break
        if self._text[self._place : self._place + 1] != char:
            return False
        self._place += 1
        return True

    def enter(self, key: str) -> bool:
        """Goes to the value of a key of the object that is next; False where that has no such key."""
        if not self.skip("{"):
            return False
        while not self.skip("}"):
            found = self.value()
            if not self.skip(":"):
                raise BrokenArray("not JSON from here on")
            if found == key:
                self.skip("")
                return True
            self.value()
            self.skip(",")
        return False

    def value(self) -> Json:
        """The next value, and behind it."""
        self.skip("")
        while True:
            value, end = _strict.parse_at(self._text, self._place, self._depth)
            # A number that ends with the text may go on.
            if value is not _strict.MISSING and (end < len(self._text) or self._ended):
                self._place = end
                return value
            there = len(self._text) - self._place
            if there > self._most:
                raise BrokenArray("not JSON from here on, or a record longer than 16 MB")
            # Twice as much each time, so that reading again costs no more than reading once.
            if not self._more(max(_CHUNK, there)):
                raise BrokenArray(f"not JSON from here on, or nested more than {self._depth} levels deep")

    def _more(self, count: int) -> bool:
        if self._ended:
            return False
        part = self._file.read(count)
        self._ended = not part
        self._text = self._text[self._place :] + self._decoder.decode(part, final=self._ended)
        self._place = 0
        return True


def _behind_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place
