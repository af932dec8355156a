"""JSON inside of a text field: exports put whole objects into strings and cells."""

from __future__ import annotations

from promptbench.core.types import Json
from promptbench.formats import _strict

_DEPTH = 256


def decode_embedded(value: Json) -> Json:
    """The object or list that a text holds, if it is strict JSON of bounded depth; any other value as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    found = _strict.parse(value, _DEPTH)
    return value if found is _strict.MISSING else found
