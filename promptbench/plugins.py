"""All that the author of a plug-in needs: a spec for each kind of plug-in, and the types that its hooks exchange.

A plug-in module exposes its spec as `SPEC`. Its name is the name of its file, or of the entry point that names the
module or the spec itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, FailureTier, LoggedCall, Message, Usage

__all__ = ["BadRecord", "FailureTier", "Log", "LogFormatSpec", "LoggedCall", "Message", "Usage"]

# ---- log formats: group promptbench.ingest ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormatSpec:
    """A format of production logs: how a file is recognised, and how its calls are read."""

    matches: Callable[[Log], bool]
    """Return True if the file is of this format, by its head, its keys or its first record. Must not raise."""
    read: Callable[[Log], Iterator[LoggedCall | BadRecord]]
    """Yield the calls one at a time, in constant memory, with a BadRecord for each record that cannot be read. Raise
    ValueError if the rest of the file cannot be read."""
    specificity: int = 0
    """How reliable `matches` is. Formats are tried from the highest to the lowest, equal ones by name: 100 for a marker
    of the format's own, 50 for several keys that only this format combines, 10 for a few common keys, negative for a
    format that accepts almost anything."""
    read_timings: Callable[[Log], Iterator[LoggedCall | BadRecord]] | None = None
    """Like `read`, but for calls that need neither an input nor an answer, only a latency. Default: `read`."""
