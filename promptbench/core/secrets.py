"""Keeps what the environment holds in confidence out of everything that is written."""

from __future__ import annotations

import re
from collections.abc import Mapping

from promptbench.core.types import Json

_SECRET_NAME = re.compile(r"(?:^|[_-])(?:key|token|secret|password|authorization|cookie)$", re.IGNORECASE)
"""Ends so; `max_tokens` and `json_keys` are none."""
_MARKS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_SHORTEST = 8
"""A shorter value is a word that stands in harmless texts too."""


def without_secrets(table: Mapping[str, Json]) -> dict[str, Json]:
    """A table, and those in it, without the entries whose names say that they are secret; `api_key_env` is not."""
    return {
        name: without_secrets(value) if isinstance(value, dict) else value
        for name, value in table.items()
        if not _SECRET_NAME.search(name)
    }


class Secrets:
    """The values of all variables of an environment whose names say that they are secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._names = {
            value: name
            for name, value in environ.items()
            if len(value) >= _SHORTEST and any(mark in name.upper() for mark in _MARKS)
        }

    def mask(self, text: str) -> str:
        """`text` with the variable's name in the place of its value."""
        for value, name in self._names.items():
            if value in text:
                text = text.replace(value, f"<{name}>")
        return text
