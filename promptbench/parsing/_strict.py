"""Strict JSON (RFC 8259) at the speed of the standard library's scanner.

Stricter than `json.loads`: it rejects NaN and Infinity, duplicate keys, numbers that no float or `int()` can hold, and
lone surrogates, and it limits the depth.
"""

import json
import re
from typing import Any, Final

from promptbench.core.types import Json

# The deepest nesting of objects and arrays that is read.
MOST_DEPTH: Final = 256
# "Not strict JSON", because None is a value.
MISSING: Final = object()

_LONE_SURROGATE_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Return an object's members. Raises ValueError for a duplicate key."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if number - number != 0:
        raise ValueError("number out of range")
    return number


def no_constant(name: str) -> Json:
    """Raise ValueError: NaN and Infinity are not JSON."""
    raise ValueError(name)


_DECODER = json.JSONDecoder(object_pairs_hook=members, parse_float=_finite, parse_constant=no_constant)


def too_deep(value: Json) -> bool:
    """Return True if objects and arrays are nested more than `MOST_DEPTH` levels deep."""
    level: list[Any] = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MOST_DEPTH):
        if not level:
            return False
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
    return bool(level)


def has_lone_surrogate(text: str) -> bool:
    """Return True if JSON `text` has a lone surrogate, as a character or as an escape."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return True
    if "\\ud" not in text and "\\uD" not in text:
        return False
    return any(match.group(1) for match in _LONE_SURROGATE_ESCAPE.finditer(text))


def _is_valid(value: Json, text: str) -> bool:
    nested = text.count("[") + text.count("{")
    return not (nested > MOST_DEPTH and too_deep(value)) and not has_lone_surrogate(text)


def parse(text: str) -> Json:
    """Return the value of `text`; MISSING if the text is not strict JSON as a whole."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return MISSING
    return value if _is_valid(value, text) else MISSING


def parse_at(text: str, start: int) -> tuple[Json, int]:
    """Return the strict JSON value that starts exactly at `start`, and its end; (MISSING, start) if there is none."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return MISSING, start
    return (value, end) if _is_valid(value, text[start:end]) else (MISSING, start)
