"""Format shares and counts for people."""

from __future__ import annotations


def percent(share: float | None) -> str:
    """Format a share in [0, 1] as a percentage. 100 % and 0 % are reserved for all and none."""
    if share is None:
        return "–"
    if 0 < share < 1:
        share = min(max(share, 0.01), 0.99)
    return f"{share * 100:.0f} %"


def plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def number_of(number: int, word: str) -> str:
    """Format a number with its noun, in the plural unless it is 1."""
    return f"{number:,} {plural(word, number)}"
