"""Groups of nearly equal texts, in one pass and in time linear in their length.

A text is a set of shingles (three consecutive words, without case, digits and punctuation). Their hashes fall into 32
bins, and the smallest hash of each bin is the signature (one permutation MinHash: Li, Owen and Zhang, 2012). The share
of bins in which two signatures agree estimates the Jaccard similarity of the sets. Candidates share a band of four
bins, and are grouped if at least 0.7 of their bins agree. Two texts of similarity 0.9 share a band with probability
0.999.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import islice
from zlib import crc32

_BINS = 32
_BAND = 4
_MIN_SHARE = 0.7
_SHINGLE = 3
# Only the beginning of a longer text counts.
_MAX_WORDS = 2_000
_WORD = re.compile(r"[^\W\d_]+")
# Letters at the start or end by which a template is recognised, and letters of a template that is long enough.
_KEY = 40
_SHORTEST_TEMPLATE = 200

_Signature = tuple[int, ...]


class NearDuplicates:
    """Number groups of nearly equal texts from 0, in order of appearance."""

    def __init__(self) -> None:
        # The signature of the first text of each group; the others are compared with it.
        self._first: list[_Signature] = []
        self._by_band: dict[tuple[int, _Signature], int] = {}
        self._short: dict[tuple[str, ...], int] = {}

    def __len__(self) -> int:
        return len(self._first)

    def add(self, text: str) -> int:
        """Return the group of a text."""
        words = tuple(match[0].lower() for match in islice(_WORD.finditer(text), _MAX_WORDS))
        if len(words) <= _SHINGLE:
            # Too few shingles for an estimate.
            if words not in self._short:
                self._short[words] = self._add_group(())
            return self._short[words]
        signature = _compute_signature(words)
        bands = [(start, signature[start : start + _BAND]) for start in range(0, _BINS, _BAND)]
        for band in bands:
            group = self._by_band.get(band)
            if group is not None and sum(map(int.__eq__, signature, self._first[group])) >= _MIN_SHARE * _BINS:
                return group
        group = self._add_group(signature)
        for band in bands:
            self._by_band.setdefault(band, group)
        return group

    def _add_group(self, signature: _Signature) -> int:
        self._first.append(signature)
        return len(self._first) - 1


class SharedText:
    """The templates of prompts: long text with which inputs start or end, and which says nothing about one input."""

    def __init__(self) -> None:
        self._starts: dict[str, str] = {}
        self._ends: dict[str, str] = {}

    def learn(self, text: str) -> None:
        """Compare a text with the earlier ones that start or end alike."""
        for known, key, length in (
            (self._starts, text[:_KEY], _common_length(self._starts.get(text[:_KEY], text), text)),
            (self._ends, text[-_KEY:], _common_length(self._ends.get(text[-_KEY:], text)[::-1], text[::-1])),
        ):
            known[key] = text[:length] if known is self._starts else text[len(text) - length :]

    def remove(self, text: str) -> str:
        """Return the text between the template's start and end; the whole text if nothing would be left."""
        start, end = self._starts.get(text[:_KEY], ""), self._ends.get(text[-_KEY:], "")
        if len(start) < _SHORTEST_TEMPLATE or not text.startswith(start):
            start = ""
        if len(end) < _SHORTEST_TEMPLATE or not text.endswith(end):
            end = ""
        inner = text[len(start) : len(text) - len(end)]
        return inner if _WORD.search(inner) else text


def _common_length(one: str, other: str) -> int:
    """Return the length of the common start of two texts."""
    return bisect_left(range(min(len(one), len(other))), True, key=lambda end: one[: end + 1] != other[: end + 1])


def _compute_signature(words: tuple[str, ...]) -> _Signature:
    """Return the smallest hash in each bin. An empty bin takes that of the next one, as a short text fills few."""
    smallest = [-1] * _BINS
    for start in range(len(words) - _SHINGLE + 1):
        value = crc32(" ".join(words[start : start + _SHINGLE]).encode("utf-8", "replace"))
        index = value % _BINS
        if smallest[index] < 0 or value < smallest[index]:
            smallest[index] = value
    for index in range(2 * _BINS - 1, -1, -1):
        if smallest[index % _BINS] < 0:
            smallest[index % _BINS] = smallest[(index + 1) % _BINS]
    return tuple(smallest)
