"""Numbers as people read them: a share, and a count with its word."""

from __future__ import annotations


def percent(share: float | None) -> str:
    """A share in [0, 1]. Never rounds a blemish away: 100 % and 0 % are said of all and none only."""
    if share is None:
        return "–"
    if 0 < share < 1:
        share = min(max(share, 0.01), 0.99)
    return f"{share * 100:.0f} %"


def plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def number_of(number: int, word: str) -> str:
    """A number with its word, in the plural where it is not one."""
    return f"{number:,} {plural(word, number)}"
