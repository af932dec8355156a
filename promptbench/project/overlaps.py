"""Intents whose examples are nearly the same: either a label is wrong, or two intents are one.

Short texts are alike when they have the same words, in any order, without case and punctuation: "what is my current
salary" and "what is my current location" have most of their words in common, and mean two things. Longer ones are
alike when nearly all of their runs of words are.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from promptbench.checks import _options
from promptbench.checks._paths import Path, optional
from promptbench.checks._words import quoted
from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.types import Json
from promptbench.project.texts import texts_of
from promptbench.suite.models import Case, CheckSpec, field_name
from promptbench.text.near_duplicates import NearDuplicates

_MOST = 20_000  # Different texts that are held.
_SHORT = 20  # Words up to which a text is one sentence or two.
_WORD = re.compile(r"\w+")
_MOST_WARNINGS = 10


@dataclass(slots=True)
class _Pair:
    """Two labels with examples alike: the first two cases, where the second is, and how many there are."""

    cases: tuple[str, str]
    location: Location
    count: int = 0


class Overlaps:
    """Looks at the input and the intent of each case, where a check `intent` says that there are intents."""

    def __init__(self, checks: Sequence[CheckSpec]) -> None:
        self._paths = [path for check in checks if (path := _location(check)) is not None]
        self._texts = NearDuplicates()
        self._first: dict[Hashable, tuple[str, str]] = {}
        self._pairs: dict[tuple[str, str], _Pair] = {}

    def look(self, case: Case) -> None:
        label = _label(case, self._paths)
        text = "\n".join(texts_of(case))
        if label is None or not text or len(self._first) >= _MOST:
            return
        words = sorted(match[0] for match in _WORD.finditer(text[:1_000].casefold()))
        key: Hashable = tuple(words) if 0 < len(words) <= _SHORT else self._texts.add(text)
        other, name = self._first.setdefault(key, (label, case.name))
        if other != label:
            both = (other, label) if other < label else (label, other)
            pair = self._pairs.setdefault(both, _Pair((name, case.name), case.where.location("case")))
            pair.count += 1

    def report(self, found: Diagnostics) -> None:
        """A warning for each two intents, the most alike first."""
        ordered = sorted(self._pairs.items(), key=lambda item: -item[1].count)
        for (one, other), pair in ordered[:_MOST_WARNINGS]:
            more = f", and {pair.count - 1} more" if pair.count > 1 else ""
            found.add(
                Code.INTENTS_OVERLAP,
                f"the intents {quoted(one)} and {quoted(other)} have nearly the same examples: "
                f"the cases '{pair.cases[0]}' and '{pair.cases[1]}'{more}",
                pair.location,
                hint="mend the label that is wrong, or make one intent of the two",
                severity=Severity.WARNING,
            )


def _location(check: CheckSpec) -> tuple[Path | None] | None:
    """Where a check `intent` of all cases finds the label, in a tuple of one; None for other checks."""
    if field_name(check.name) != "intent":
        return None
    written = check.argument if isinstance(check.argument, dict) else {}
    given = {_options.option_name(str(key)): value for key, value in written.items()}
    try:
        return (optional(given.get("at")),)
    except ValueError:
        return None  # what is wrong with it is told where it is built


def _label(case: Case, paths: Sequence[tuple[Path | None]]) -> str | None:
    if not case.has_expect:
        return None
    for (path,) in paths:
        try:
            value: Json = path.find(case.expect) if path else case.expect
        except LookupError:
            continue
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
    return None
