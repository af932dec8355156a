"""Texts that are nearly the same: put together in one pass, in time linear in what there is to read.

A text is a set of shingles (three words in a row, without case, digits and punctuation). Their hashes fall into 32
bins, and the smallest of each bin is the signature (one permutation MinHash: Li, Owen and Zhang, 2012): the share of
bins in which two signatures agree estimates the Jaccard similarity of the sets. Candidates are found by bands of four
bins, and belong together from a share of 0.7 on. Two texts with a similarity of 0.9 share a band in 99.9 of 100 cases.
"""

from __future__ import annotations

import re
from itertools import islice
from zlib import crc32

_BINS = 32
_BAND = 4
_ALIKE = 0.7
_SHINGLE = 3
_MOST_WORDS = 2_000
"""Of a longer text the beginning is looked at."""
_WORD = re.compile(r"[^\W\d_]+")

_Signature = tuple[int, ...]


class NearDuplicates:
    """Numbers the groups from 0 on, in the order in which they appear."""

    def __init__(self) -> None:
        self._first: list[_Signature] = []
        """The signature of the first text of each group; all others are held against it."""
        self._by_band: dict[tuple[int, _Signature], int] = {}
        self._short: dict[tuple[str, ...], int] = {}

    def __len__(self) -> int:
        return len(self._first)

    def add(self, text: str) -> int:
        """The number of the group of a text."""
        words = tuple(match[0].lower() for match in islice(_WORD.finditer(text), _MOST_WORDS))
        if len(words) <= _SHINGLE:
            # Too few shingles to estimate anything by.
            if words not in self._short:
                self._short[words] = self._new(())
            return self._short[words]
        signature = _signature(words)
        bands = [(start, signature[start : start + _BAND]) for start in range(0, _BINS, _BAND)]
        for band in bands:
            group = self._by_band.get(band)
            if group is not None and _share(signature, self._first[group]) >= _ALIKE:
                return group
        group = self._new(signature)
        for band in bands:
            self._by_band.setdefault(band, group)
        return group

    def _new(self, signature: _Signature) -> int:
        self._first.append(signature)
        return len(self._first) - 1


def _signature(words: tuple[str, ...]) -> _Signature:
    """The smallest hash in each bin. An empty bin takes the next one's, as a short text fills few."""
    smallest = [-1] * _BINS
    for start in range(len(words) - _SHINGLE + 1):
        value = crc32(" ".join(words[start : start + _SHINGLE]).encode("utf-8", "replace"))
        place = value % _BINS
        if smallest[place] < 0 or value < smallest[place]:
            smallest[place] = value
    for place in range(2 * _BINS - 1, -1, -1):
        if smallest[place % _BINS] < 0:
            smallest[place % _BINS] = smallest[(place + 1) % _BINS]
    return tuple(smallest)


def _share(one: _Signature, other: _Signature) -> float:
    return sum(map(int.__eq__, one, other)) / _BINS
