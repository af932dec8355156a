"""Commands that repeat what a report shows."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_SELECTING = ("--case", "--tag", "--shard")


def for_cases(command: str, cases: Sequence[str]) -> str:
    """Return a report's command for some of its cases only."""
    words, kept = iter(shlex.split(command)), list[str]()
    for word in words:
        if word in _SELECTING:
            next(words, None)
        else:
            kept.append(word)
    for case in cases:
        # A bracket would start a set of letters; * and ? also match themselves.
        kept += ["--case", case.replace("[", "[[]")]
    return shlex.join(kept)
