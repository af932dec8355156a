"""What a plug-in module exposes: one dataclass for each kind of plug-in, as `SPEC = RepairSpec(...)`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairSpec:
    """A team's own repair rule for answers that are not valid JSON.

    Args:
        name: lower-case letters, digits and underscores. Reports count the repair under this name.
        trust: `safe` if the text has one reading, which the rule restores; `risky` if the rule guesses.
        repair: a pure function. It gets the whole answer and returns the repaired text, or None if the rule does not
            apply. It must return the same result each time, and must leave its own result as it is.
        examples: texts that the rule must change, each with the data that it must be read as.
        unchanged: texts that the rule must leave as they are.
    """

    name: str
    trust: Literal["safe", "risky"]
    repair: Callable[[str], str | None]
    examples: Mapping[str, Any]
    unchanged: Sequence[str]

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]*", self.name):
            raise ValueError(f"'name': expected lower-case letters, digits and underscores, got {self.name!r}")
        if self.trust not in ("safe", "risky"):
            raise ValueError(f"'trust': expected 'safe' or 'risky', got {self.trust!r}")
        if not (self.examples and self.unchanged):
            raise ValueError("expected at least one text in 'examples' and one in 'unchanged'")

    def apply(self, text: str) -> str | None:
        """Return the repaired text, or None if the rule leaves it as it is.

        Raises:
            TypeError: if the function returned neither a text nor None.
        """
        repaired = self.repair(text)
        if repaired is not None and not isinstance(repaired, str):
            raise TypeError(f"{self.name} returned {type(repaired).__name__}, expected str or None")
        return None if repaired == text else repaired

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the function, as plain data."""
        return {
            "name": self.name,
            "trust": self.trust,
            "examples": dict(self.examples),
            "unchanged": list(self.unchanged),
        }
