"""Format values, shares and counts for people."""

from promptbench.core.canonical import canonical
from promptbench.core.types import Json

_LONGEST_QUOTE = 80


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


def mismatch(where: str, expected: str, got: str) -> str:
    """Return a reason such as `team: expected 'billing', got 'sales'`; an empty `where` is the whole answer."""
    return f"{where}: expected {expected}, got {got}" if where else f"expected {expected}, got {got}"


def quoted(value: Json) -> str:
    """Return a value for a message, on one line of at most 80 characters."""
    text = " ".join((f"'{value}'" if isinstance(value, str) else canonical(value)).split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
