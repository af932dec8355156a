"""How much text, and how deep, the readers look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`characters` bounds the length of a text, `depth` how far objects and arrays may be nested in it."""

    characters: int = 1_000_000
    depth: int = 256


DEFAULT_LIMITS = Limits()
