"""Limits on a number: `exactly`, `at least`, `at most`, `less than`, `more than`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.checks._options import count
from promptbench.plugins import Json

NAMES = ("exactly", "at least", "at most", "less than", "more than")
# For a check's argument schema.
PROPERTIES: Mapping[str, Json] = {name: {"type": "integer", "minimum": 0} for name in NAMES}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits, both included, in the author's words. `high` is None if there is none."""

    low: int
    high: int | None
    words: str

    def include(self, number: int) -> bool:
        return number >= self.low and (self.high is None or number <= self.high)


def bounds(given: Mapping[str, Json]) -> Bounds:
    """Return the limits in the options named like one of `NAMES`. Raises ValueError if they are invalid."""
    named = {name: count(given[name], name) for name in NAMES if name in given}
    if not named:
        raise ValueError(f"say how many: {', '.join(NAMES[:-1])} or {NAMES[-1]}")
    if "exactly" in named and len(named) > 1:
        raise ValueError("'exactly' excludes the other limits: leave them out")
    lows = {"exactly": 0, "at least": 0, "more than": 1}
    highs = {"exactly": 0, "at most": 0, "less than": -1}
    low = max((named[name] + step for name, step in lows.items() if name in named), default=0)
    high = min((named[name] + step for name, step in highs.items() if name in named), default=None)
    words = " and ".join(f"{name} {number}" for name, number in named.items())
    if high is not None and low > high:
        raise ValueError(f"no number is {words}")
    return Bounds(low, high, words)
