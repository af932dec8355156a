"""Keeps what the environment holds in confidence out of everything that is written."""

from __future__ import annotations

from collections.abc import Mapping

_MARKS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_SHORTEST = 8
"""A shorter value is a word that stands in harmless texts too."""


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
