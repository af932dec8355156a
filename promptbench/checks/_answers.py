"""The right answers to a question, for the checks that compare as SQuAD does."""

from __future__ import annotations

from promptbench.core.types import Json


def right_answers(value: Json) -> tuple[str, ...]:
    """A text or several; none, or an empty one, where the question has no answer. Raises ValueError."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list)) or item is None for item in items):
        raise ValueError("give the right answer, or a list of them; '' where the question has none")
    return tuple(("true" if item else "false") if isinstance(item, bool) else str(item) for item in items) or ("",)
