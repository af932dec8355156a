"""Commands that make again what a report shows."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_SELECTING = ("--case", "--tag", "--shard")


def for_cases(command: str, cases: Sequence[str]) -> str:
    """The command that a report is from, for some of its cases alone."""
    words, kept = iter(shlex.split(command)), list[str]()
    for word in words:
        if word in _SELECTING:
            next(words, None)
        else:
            kept.append(word)
    for case in cases:
        # A bracket would begin a set of letters; * and ? stand for themselves too.
        kept += ["--case", case.replace("[", "[[]")]
    return shlex.join(kept)
