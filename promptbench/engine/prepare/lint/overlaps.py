"""Warn about intents whose examples are nearly the same: a label is wrong, or the two intents are one.

Short texts are equal if they have the same words in any order, without case and punctuation. A looser measure would
confuse "what is my current salary" and "what is my current location". Longer texts are compared as near duplicates.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from promptbench.checks import _options
from promptbench.checks._paths import Path, optional
from promptbench.checks._scores import quoted
from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.types import Json
from promptbench.engine.prepare.lint.texts import texts_of
from promptbench.suite.file import field_name
from promptbench.suite.models import Case, WrittenCheck
from promptbench.text.near_duplicates import NearDuplicates

_MOST = 20_000  # Different texts that are kept.
_SHORT = 20  # Longest short text, in words: one sentence or two.
_WORD = re.compile(r"\w+")
_MOST_WARNINGS = 10


@dataclass(slots=True)
class _Pair:
    """Two labels with similar examples: the first two cases, the location of the second, and the number of pairs."""

    cases: tuple[str, str]
    location: Location
    count: int = 0


class Overlaps:
    """Compares the inputs of cases with different intents, if the suite has a check `intent`."""

    def __init__(self, checks: Sequence[WrittenCheck]) -> None:
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
            pair = self._pairs.setdefault(
                (other, label) if other < label else (label, other),
                _Pair((name, case.name), case.where.location("case")),
            )
            pair.count += 1

    def report(self, found: Diagnostics) -> None:
        """Add a warning for each pair of intents, those with most similar examples first."""
        for (one, other), pair in sorted(self._pairs.items(), key=lambda item: -item[1].count)[:_MOST_WARNINGS]:
            more = f", and {pair.count - 1} more" if pair.count > 1 else ""
            found.add(
                Code.INTENTS_OVERLAP,
                f"the intents {quoted(one)} and {quoted(other)} have nearly the same examples: "
                f"the cases '{pair.cases[0]}' and '{pair.cases[1]}'{more}",
                pair.location,
                hint="fix the wrong label, or merge the two intents",
                severity=Severity.WARNING,
            )


def _location(check: WrittenCheck) -> tuple[Path | None] | None:
    # Return the path of the label in a tuple if this is a check `intent` with a valid path, else None.
    if field_name(check.name) != "intent":
        return None
    written = check.argument if isinstance(check.argument, dict) else {}
    given = {_options.option_name(str(key)): value for key, value in written.items()}
    try:
        return (optional(given.get("at")),)
    except ValueError:
        return None  # Reported when the check is built.


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
