"""Bounds on what the readers accept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest text in characters, and the deepest nesting of objects and arrays."""

    characters: int = 1_000_000
    depth: int = 256


DEFAULT_LIMITS = Limits()
