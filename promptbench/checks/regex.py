"""regex: the answer matches a pattern.

What: searches the answer for a regular expression, anywhere; `^` and `$` match at its start and end. A search that
    takes longer than a second is stopped and fails.
When: the form is fixed and no other check says it.
Options: one pattern, in single quotes.
Example:
    checks: [{regex: '^[A-Z]-[0-9]{4}$'}]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from promptbench.checks._words import quoted, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = {"type": "string", "format": "regex"}

_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Regex:
    pattern: Any

    def score(self, subject: Subject) -> Score:
        text = subject.text.strip()
        try:
            found = self.pattern.search(text, timeout=_SECONDS)
        except TimeoutError:
            return verdict("regex", [f"the pattern {quoted(self.pattern.pattern)} took too long on this answer"])
        if found:
            return verdict("regex", [])
        return verdict("regex", [f"nothing in {quoted(text)} matches {quoted(self.pattern.pattern)}"])


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when the argument is no pattern."""
    # Python's own `re` cannot be stopped, and authors' patterns meet models' texts here.
    import regex

    if not isinstance(argument, str) or not argument:
        raise ValueError("give a pattern in single quotes")
    try:
        return Regex(regex.compile(argument))
    except regex.error as error:
        raise ValueError(f"this is not a pattern: {error}") from None
    except (RecursionError, OverflowError, MemoryError):
        raise ValueError("this pattern is too large") from None
