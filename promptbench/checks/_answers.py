"""The right answers to a question, for the checks that compare as SQuAD does."""

from __future__ import annotations

import re

from promptbench.core.types import Json

IGNORE: Json = {"enum": ["citations"]}
_MARK = re.compile(r"\s*\[[^\[\]\n]{1,200}\](?!\()")


def uncited(text: str) -> str:
    """The text without citation marks such as [1] and [doc-2]."""
    return _MARK.sub("", text).strip()


def right_answers(value: Json) -> tuple[str, ...]:
    """A text or several; none, or an empty one, where the question has no answer. Raises ValueError."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list)) or item is None for item in items):
        raise ValueError("give the right answer, or a list of them; '' where the question has none")
    return tuple(("true" if item else "false") if isinstance(item, bool) else str(item) for item in items) or ("",)
