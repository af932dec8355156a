"""The items of an array in a JSON document of any size, one at a time.

The scanner of the standard library reads each item as soon as all of it is in memory. Event-based parsers keep the path
to the current value; on deep nesting the `ijson` package needs quadratic memory, which an untrusted log could exploit.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from promptbench.core.types import Json
from promptbench.parsing import _strict

_CHUNK = 1024 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_NOT_JSON = "not JSON from here on"


class BrokenArray(ValueError):
    """The document cannot be read any further. The message is the reason."""


def iterate_array(file: BinaryIO, at: Sequence[str], *, max_characters: int, max_depth: int) -> Iterator[Json]:
    """Yield the items of the array at the keys `at`, from UTF-8; nothing if there is no such array.

    A comma after the last item is accepted, because some exporters write one. Raise BrokenArray if the text is not
    JSON, and for an item of more than `max_characters` characters or `max_depth` levels.
    """
    document = _Document(file, max_characters, max_depth)
    for key in at:
        if not document.enter(key):
            return
    if not document.skip("["):
        return
    while not document.skip("]"):
        yield document.read_value()
        if not document.skip(","):
            if not document.skip("]"):
                raise BrokenArray(_NOT_JSON)
            return


def read_keys(text: str) -> tuple[str, ...]:
    """Return the keys of the outermost object, as far as `text`, the beginning of a document, contains them."""
    found: list[str] = []
    position = _skip_space(text, 0)
    if text[position : position + 1] != "{":
        return ()
    position = _skip_space(text, position + 1)
    try:
        while text[position : position + 1] == '"':
            key, position = _DECODER.raw_decode(text, position)
            found.append(key)
            position = _skip_space(text, position)
            _, position = _DECODER.raw_decode(text, _skip_space(text, position + 1))
            position = _skip_space(text, _skip_space(text, position) + 1)
    except (ValueError, RecursionError):
        pass  # the text may end anywhere
    return tuple(found)


class _Document:
    """A window on the text, from the current position on. It is extended as needed."""

    def __init__(self, file: BinaryIO, max_characters: int, max_depth: int) -> None:
        self._file = file
        self._max_characters = max_characters
        self._max_depth = max_depth
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._position = 0
        self._ended = False

    def skip(self, char: str) -> bool:
        """Skip white space, then `char`. Return False if another character is next."""
        while True:
            self._position = _skip_space(self._text, self._position)
            if self._position < len(self._text) or not self._extend(_CHUNK):
                break
        if self._text[self._position : self._position + 1] != char:
            return False
        self._position += 1
        return True

    def enter(self, key: str) -> bool:
        """Move to the value of `key` in the object that is next. Return False if it has no such key."""
        if not self.skip("{"):
            return False
        while not self.skip("}"):
            found = self.read_value()
            if not self.skip(":"):
                raise BrokenArray(_NOT_JSON)
            if found == key:
                self.skip("")
                return True
            self.read_value()
            self.skip(",")
        return False

    def read_value(self) -> Json:
        """Return the next value and move past it."""
        self.skip("")
        while True:
            value, end = _strict.parse_at(self._text, self._position, self._max_depth)
            # A number at the end of the text may continue in the next chunk.
            if value is not _strict.MISSING and (end < len(self._text) or self._ended):
                self._position = end
                return value
            size = len(self._text) - self._position
            if size > self._max_characters:
                raise BrokenArray(f"{_NOT_JSON}, or a record longer than 16 MB")
            # Double the window, so that parsing again costs no more than parsing once.
            if not self._extend(max(_CHUNK, size)):
                raise BrokenArray(f"{_NOT_JSON}, or nested more than {self._max_depth} levels deep")

    def _extend(self, count: int) -> bool:
        if self._ended:
            return False
        part = self._file.read(count)
        self._ended = not part
        self._text = self._text[self._position :] + self._decoder.decode(part, final=self._ended)
        self._position = 0
        return True


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
