"""Is what a model wrote about a passage right in its form: enough questions, each with a sentence of the passage."""

from __future__ import annotations

import json
from typing import Any


def sourced(answer: str, variables: dict[str, Any], argument: object) -> float | tuple[float, str]:
    """Return the share of questions whose source sentence is in the passage, and whose answer is in that sentence."""
    passage = " ".join(variables["passage"].split())
    items = json.loads(answer)["questions"][: variables["count"]]
    wrong = [item["quote"] for item in items if not item["quote"] or " ".join(item["quote"].split()) not in passage]
    wrong += [item["answer"] for item in items if item["answer"].lower() not in item["quote"].lower()]
    lacking = variables["count"] - len(items)
    reason = f"not in the passage: {wrong[0]!r}" if wrong else f"{lacking} questions fewer" if lacking else "right"
    return max(0.0, 1 - (len(wrong) + lacking) / variables["count"]), reason


def lacking(answer: str, variables: dict[str, Any], argument: object) -> tuple[bool, str]:
    """Return if there are questions, and none claims to have an answer."""
    items = json.loads(answer)["questions"]
    claimed = [item["answer"] for item in items if item["answer"] or item["quote"]]
    return bool(items) and not claimed, f"answered: {claimed[0]!r}" if claimed else f"{len(items)} questions"
