"""Scores between wrong and right."""

from __future__ import annotations

from collections.abc import Sequence

from promptbench.core.types import Score

_ROUNDING = 1e-9


def graded(check: str, value: float, at_least: float, reason: str) -> Score:
    """`value` is in [0, 1]; it passes from `at_least` on, and `reason` is what is said when it does not."""
    if value >= at_least - _ROUNDING:
        return Score(check, True, value)
    short = "" if at_least == 1 else f" ({value:.2f}, not at least {at_least:.2f})"
    return Score(check, False, value, reason + short)


def failed(check: str, reason: str) -> Score:
    return Score(check, False, 0.0, reason)


def some(names: Sequence[str], most: int = 5) -> str:
    """The first few of them, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
