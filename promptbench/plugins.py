"""All that the author of a plug-in needs: a spec for each kind of plug-in, and the types that its hooks exchange.

A plug-in is a module with an attribute `SPEC`. It is a file in promptbench's own folder of that kind, where its name is
the file's name, or it is in another distribution that declares an entry point:

    [project.entry-points."promptbench.checks"]
    polite = "shop_checks.polite"

The entry point names the module or the spec itself, and its name is the plug-in's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from promptbench.core.protocols import Check, CheckContext, ExpectingCheck, JudgedCheck, Log, MissingExtra, Subject
from promptbench.core.types import (
    Answer,
    BadRecord,
    CallFacts,
    FailureTier,
    Json,
    LoggedCall,
    Message,
    ModelRef,
    Reading,
    Request,
    Rung,
    Score,
    Usage,
)

__all__ = [
    "Answer",
    "BadRecord",
    "CallFacts",
    "Check",
    "CheckContext",
    "CheckSpec",
    "ExpectingCheck",
    "FailureTier",
    "Json",
    "JudgedCheck",
    "Log",
    "LogFormatSpec",
    "LoggedCall",
    "Message",
    "MissingExtra",
    "ModelRef",
    "Reading",
    "Request",
    "Rung",
    "Score",
    "Subject",
    "Usage",
]

# ---- checks: group promptbench.checks --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """A check: how it is built from its YAML argument, and what people and editors read about it."""

    # The module's `__doc__`: a first line `name: summary.`, then What, When, Options and Example.
    doc: str | None
    # Raise ValueError with one sentence if the argument is invalid, MissingExtra if a package is not installed.
    build: Callable[[Json, CheckContext], Check]
    # JSON Schema of the argument, for editors.
    argument_schema: Json = field(default_factory=dict)
    # For a check that depends on a file: return what of the file decides the score, or None. Must not raise.
    fingerprint: Callable[[Json, CheckContext], Json] | None = None
    # For a deprecated name: return what to write instead, as an entry of `checks:`. Raise ValueError if invalid.
    replacement: Callable[[Json], Json] | None = None


# ---- log formats: group promptbench.ingest ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormatSpec:
    """A format of production logs: how a file is recognised, and how its calls are read."""

    # Return True if the file is of this format, by its head, its keys or its first record. Must not raise.
    matches: Callable[[Log], bool]
    # Yield the calls one at a time, in constant memory, with a BadRecord for each record that cannot be read. Raise
    # ValueError if the rest of the file cannot be read.
    read: Callable[[Log], Iterator[LoggedCall | BadRecord]]
    # How reliable `matches` is. Formats are tried from the highest to the lowest, equal ones by name: 100 for a marker
    # of the format's own, 50 for several keys that only this format combines, 10 for a few common keys, negative for a
    # format that accepts almost anything.
    specificity: int = 0
    # Like `read`, but for calls that need neither an input nor an answer, only a latency. Default: `read`.
    read_timings: Callable[[Log], Iterator[LoggedCall | BadRecord]] | None = None
