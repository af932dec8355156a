"""Compile regular expressions of authors. They meet texts of models, and Python's own `re` cannot be stopped."""

import re
from functools import lru_cache
from typing import Any

from promptbench.core.words import quoted

# A search raises TimeoutError after this.
SECONDS = 1.0
# A compiled pattern takes up to 300 bytes an element: this is 60 MB.
_LARGEST = 200_000
_ELEMENT = re.compile(
    r"(?P<call>\(\?(?:R|[+-]?[0-9]++|&\w++|P>\w++)\))|(?P<open>\()|(?P<close>\))|\{(?P<count>[0-9]{1,18})[,}]"
    r"|\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]|.",
    re.DOTALL,
)
# Patterns without a choice, an optional part or a group. They cannot backtrack, so that nothing has to stop a search.
FIXED_LENGTH = re.compile(r"(?:[^\\*+?|(){}]|\\[dDwWsSbB]|\\[^a-zA-Z0-9]|\{[0-9]{1,2}\}(?!\{)){0,60}", re.DOTALL)


@lru_cache(maxsize=1000)
def compiled(pattern: str) -> Any:
    """Return a pattern of the package `regex`. Raises ValueError if it is invalid."""
    import regex

    if _elements(pattern) > _LARGEST:
        raise ValueError(f"the pattern {quoted(pattern)} is too large: with its repeats written out, over {_LARGEST:,}")
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"{quoted(pattern)} is not a valid pattern: {error}") from None
    except (RecursionError, OverflowError, MemoryError):
        raise ValueError(f"the pattern {quoted(pattern)} is too large") from None


def _elements(pattern: str) -> int:
    """Return the number of elements of a pattern when the fewest repeats, as in `a{3,}`, are written out.

    Compiling writes them out: `a{1000000000}` would take all memory, and so does a search for what refers to itself.
    """
    sizes, last = [0], 0
    for element in _ELEMENT.finditer(pattern):
        if element["call"]:
            raise ValueError(
                f"the pattern {quoted(pattern)} refers to itself or to a group: {element[0]} is not supported"
            )
        if element["open"]:
            sizes.append(0)
            continue
        again = int(element["count"] or 2) - 1
        last = sizes.pop() if element["close"] and len(sizes) > 1 else last * again if element["count"] else 1
        sizes[-1] += last
    return sum(sizes)


def too_slow(pattern: str) -> str:
    """Return the reason for a search that was stopped."""
    return f"the pattern {quoted(pattern)} took too long on this answer"
