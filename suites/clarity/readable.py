"""How hard a text is to read, by the Automated Readability Index.

E. A. Smith and R. J. Senter, "Automated Readability Index", AMRL-TR-66-220, Wright-Patterson Air Force Base, 1967:

    4.71 · letters / words + 0.5 · words / sentences − 21.43

Letters are letters and digits. The result is about the school grade (USA) of a reader who understands the text: 6 for
children of eleven, 12 and more for office language. Made for English; it counts, and knows nothing of meaning.
"""

from __future__ import annotations

import re
from typing import Any

_WORD = re.compile(r"[^\W_]+(?:['’.:-][^\W_]+)*")
# An item of a list ends a sentence as a full stop does.
_END = re.compile(r"[.!?:]+(?=\s|$)|\n+")


def grade(text: str) -> float | None:
    """Return the index of a text, or None if it has no words."""
    words = _WORD.findall(text)
    sentences = sum(bool(_WORD.search(part)) for part in _END.split(text))
    letters = sum(char.isalnum() for word in words for char in word)
    return 4.71 * letters / len(words) + 0.5 * len(words) / sentences - 21.43 if words else None


def easy(answer: str, variables: dict[str, Any], argument: dict[str, Any]) -> tuple[bool, str]:
    """Pass if the grade of the answer is at most `argument["grade"]`."""
    found, most = grade(answer), argument["grade"]
    if found is None:
        return False, "there are no words"
    return found <= most, f"needs a reader of grade {found:.1f}, expected at most {most}"
