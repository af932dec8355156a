"""Questions without a language model: a sentence with its last figure or word left out, to be filled in."""

from __future__ import annotations

import re
from typing import Any

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?=\w)[^.!?\n]*)*[.!?]")
_FIGURE = re.compile(r"\d[\d:.,]*\d|\d+")


def write(variables: dict[str, Any]) -> dict[str, Any]:
    """Return a question for each sentence with a figure, or the answer to a question of this kind."""
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(re.sub(r"^\[\w+\] ", "", variables["passage"]))]
    if variables.get("unanswerable"):
        # A cloze has an answer by its making: this writer knows no other question.
        return {"questions": []}
    found = []
    for sentence in sentences:
        asked = variables.get("question")
        for figure in _FIGURE.finditer(sentence):
            gap = f"Which figure is missing: {sentence[: figure.start()]}…{sentence[figure.end() :]}"
            if gap not in variables.get("known", []) and asked in (None, gap):
                found.append({"question": gap, "answer": figure[0], "quote": sentence})
    return {"questions": found[: variables.get("count", 1)]}
