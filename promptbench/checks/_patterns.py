"""Compile regular expressions of authors. They meet texts of models, and Python's own `re` cannot be stopped."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from promptbench.checks._scores import quoted

# A search raises TimeoutError after this.
SECONDS = 1.0


@lru_cache(maxsize=1000)
def compiled(pattern: str) -> Any:
    """Return a pattern of the package `regex`. Raises ValueError if it is invalid."""
    import regex

    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"{quoted(pattern)} is not a valid pattern: {error}") from None
    except (RecursionError, OverflowError, MemoryError):
        raise ValueError(f"the pattern {quoted(pattern)} is too large") from None


def too_slow(pattern: str) -> str:
    """Return the reason for a search that was stopped."""
    return f"the pattern {quoted(pattern)} took too long on this answer"
