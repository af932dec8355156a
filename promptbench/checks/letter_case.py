"""letter case: all letters are capitals, or none is.

What: `upper` passes when there are letters and each is a capital; `lower` when there are and none is. What has no upper
    and lower case does not count: digits, signs, Chinese.
When: the style asks for it.
Options: `upper` or `lower`.
Example:
    checks: [{letter case: lower}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks._options import choice
from promptbench.checks._words import quoted, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

_CASES = ("upper", "lower")
_AROUND = 20
argument_schema: Json = {"type": "string", "enum": list(_CASES)}


@dataclass(frozen=True, slots=True)
class LetterCase:
    upper: bool

    def score(self, subject: Subject) -> Score:
        text = subject.text
        if text.isupper() if self.upper else text.islower():
            return verdict("letter case", [])
        odd = next((index for index, char in enumerate(text) if self._is_odd(char)), None)
        if odd is None:
            return verdict("letter case", ["the answer has no letters with upper and lower case"])
        shown = quoted(text[odd : odd + _AROUND])
        return verdict("letter case", [f"{shown} begins with {'a small' if self.upper else 'a capital'} letter"])

    def _is_odd(self, char: str) -> bool:
        # Dž is neither, and is odd in both.
        return (char.istitle() and not char.isupper()) or (char.islower() if self.upper else char.isupper())


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is `upper` or `lower`."""
    return LetterCase(choice(argument, "letter case", _CASES) == "upper")
