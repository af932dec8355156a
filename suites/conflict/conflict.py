"""What an answer does with notes that disagree: it says so, it follows the rule, or it hides the conflict."""

from __future__ import annotations

import re
from typing import Any

# Words by which an answer says that two notes do not fit together. Naming both facts is not enough: "8 and 9" is a
# wrong answer to "when does it open?".
_SAYS_SO = re.compile(
    r"\b(disagree|conflict|contradict|differ|unclear|unsure|inconsistent|mismatch|whereas|while|however|but)"
    r"|\bnot (clear|sure|certain|the same|agree|match|known)|\b(two|different) (answers|notes|prices|times|dates)",
    re.IGNORECASE,
)


def outcome(answer: str, variables: dict[str, Any], argument: dict[str, Any]) -> tuple[bool, str]:
    """Decide by `argument`: `facts` are what the notes say, `counts` is the one that a rule chooses, if any."""
    named = [fact for fact in argument["facts"] if re.search(rf"(?<!\w){re.escape(fact)}(?!\w)", answer, re.IGNORECASE)]
    others = [fact for fact in argument["facts"] if fact not in named]
    if not named:
        return False, f"names none of {', '.join(argument['facts'])}"
    if counts := argument.get("counts"):
        if counts not in named:
            return False, f"does not follow the rule: {counts} counts, and it says {', '.join(named)}"
        return len(named) == 1, f"does not follow the rule: only {counts} counts, and it names all"
    if others:
        return False, f"hides the conflict: it does not name {', '.join(others)}"
    return bool(_SAYS_SO.search(answer)), "names all, and does not say that the notes disagree"
