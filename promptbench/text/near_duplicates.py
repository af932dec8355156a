"""Groups of nearly equal texts, in one pass and in time linear in their length.

A text is a set of shingles (three consecutive words, without case, digits and punctuation). Their hashes fall into 32
bins, and the smallest hash of each bin is the signature (one permutation MinHash: Li, Owen and Zhang, 2012). The share
of bins in which two signatures agree estimates the Jaccard similarity of the sets. Candidates share a band of four
bins, and are grouped if at least 0.7 of their bins agree. Two texts of similarity 0.9 share a band with probability
0.999.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from zlib import crc32

_BINS = 32
_BAND = 4
MIN_SHARE = 0.7
_SHINGLE = 3
# Only the beginning of a longer text counts.
_MAX_WORDS = 2_000
_WORD = re.compile(r"[^\W\d_]+")
# Letters at the start or end by which a template is recognised, and letters of a template that is long enough.
_KEY = 40
_SHORTEST_TEMPLATE = 200

Signature = tuple[int, ...]
LAYOUT = f"{_BINS}I"  # of a signature, as `struct` has it


class SignedTexts:
    """Signatures of texts, to find those of similar texts. Of those that share a band at most the first `most` count.

    A shorter band finds less similar texts: one of similarity 0.5 shares a band of two bins with probability 0.99.
    """

    def __init__(self, band: int, most: int) -> None:
        self._band = band
        self._most = most
        self._by_band: dict[tuple[int, Signature], tuple[Signature, ...]] = {}

    def add(self, signature: Signature) -> None:
        for band in self._bands(signature):
            self._by_band[band] = (*self._by_band.get(band, ()), signature)[: self._most]

    def near(self, signature: Signature, least: float = MIN_SHARE) -> dict[Signature, float]:
        """Return the signatures with at least this share of equal bins, and that share, as similarity."""
        found = (other for band in self._bands(signature) for other in self._by_band.get(band, ()))
        shares = {other: sum(map(int.__eq__, signature, other)) / _BINS for other in found}
        return {other: share for other, share in shares.items() if share >= least}

    def _bands(self, signature: Signature) -> Iterator[tuple[int, Signature]]:
        return ((start, signature[start : start + self._band]) for start in range(0, _BINS, self._band))


class NearDuplicates:
    """Number groups of nearly equal texts from 0, in order of appearance."""

    def __init__(self) -> None:
        # The first text of each group. The others are compared with one for each band, so that the time is linear.
        self._first = SignedTexts(_BAND, 1)
        self._groups: dict[tuple[object, ...], int] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, text: str) -> int:
        """Return the group of a text."""
        signature = sign(text)
        first = next(iter(self._first.near(signature)), signature or _words(text))
        if signature and first not in self._groups:
            self._first.add(signature)
        return self._groups.setdefault(first, len(self._groups))


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


def _words(text: str) -> tuple[str, ...]:
    return tuple(match[0].lower() for match in islice(_WORD.finditer(text), _MAX_WORDS))


def sign(text: str) -> Signature:
    """Return the smallest hash in each bin; nothing for up to three words, which are too few for an estimate.

    An empty bin takes that of the next one, as a short text fills few.
    """
    words = _words(text)
    if len(words) <= _SHINGLE:
        return ()
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
