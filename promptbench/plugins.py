"""All that the author of a plug-in needs: a spec for each kind of plug-in, and the types that its hooks exchange.

A plug-in is a module with an attribute `SPEC`. It is a file in our own folder of that kind, where its name is the
file's name, or it lies in another distribution that declares an entry point:

    [project.entry-points."promptbench.checks"]
    polite = "shop_checks.polite"

The entry point names the module or the spec itself, and its name is the plug-in's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from promptbench.core.protocols import Check, CheckContext, ExpectingCheck, JudgedCheck, MissingExtra, Subject
from promptbench.core.types import Answer, CallFacts, Json, ModelRef, Reading, Request, Rung, Score

__all__ = [
    "Answer",
    "CallFacts",
    "Check",
    "CheckContext",
    "CheckSpec",
    "ExpectingCheck",
    "Json",
    "JudgedCheck",
    "MissingExtra",
    "ModelRef",
    "Reading",
    "Request",
    "Rung",
    "Score",
    "Subject",
]

# ---- checks: group promptbench.checks --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """A check: how it is built from its YAML argument, and what people and editors read about it."""

    doc: str | None
    """The module's `__doc__`: a first line `name: summary.`, then What, When, Options and Example."""
    build: Callable[[Json, CheckContext], Check]
    """Raises ValueError with one sentence if the argument is invalid, MissingExtra if a package is not installed."""
    argument_schema: Json = field(default_factory=dict)
    """JSON Schema of the argument, for editors."""
    fingerprint: Callable[[Json, CheckContext], Json] | None = None
    """For a check that depends on a file: returns what of the file decides the score, or None. Raises nothing."""
    replacement: Callable[[Json], Json] | None = None
    """For a deprecated name: returns what to write instead, as an entry of `checks:`. Raises ValueError."""
