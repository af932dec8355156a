"""A part of an answer by the number of its paragraph: what `starts with` and `ends with` have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.checks._options import count, text
from promptbench.checks._words import quoted
from promptbench.core.protocols import Subject
from promptbench.core.types import Json

TEXT: Json = {"type": ["string", "number", "boolean"]}
PROPERTIES: Mapping[str, Json] = {
    "text": TEXT,
    "variable": {"type": "string"},
    "paragraph": {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "last"}]},
}
"""For a check's argument schema."""


def part(answer: str, paragraph: int | None) -> str | None:
    """The paragraph without the white space around it, -1 for the last; the whole answer for None.

    As IFEval has it: paragraphs stand between empty lines, and an empty one has a number but does not count, so that
    behind two empty lines in a row no number finds the paragraph it looks for.
    """
    if paragraph is None:
        return answer.strip()
    if paragraph < 0:
        return answer.strip().rpartition("\n\n")[2].strip()
    paragraphs = [piece.strip() for piece in answer.split("\n\n")]
    if paragraph > len(paragraphs) - paragraphs.count(""):
        return None
    return paragraphs[paragraph - 1] or None


def number(given: Mapping[str, Json]) -> int | None:
    """The paragraph asked for, as `part` takes it. Raises ValueError."""
    written = given.get("paragraph")
    if written is None:
        return None
    if isinstance(written, str) and written.strip().lower() == "last":
        return -1
    found = count(written, "paragraph")
    if not found:
        raise ValueError("paragraphs count from 1; 'last' is the last one")
    return found


def where(paragraph: int | None) -> str:
    """For a reason."""
    if paragraph is None:
        return "the answer"
    return "the last paragraph" if paragraph < 0 else f"paragraph {paragraph}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A text, or the variable of the case that holds it."""

    text: str
    variable: str | None

    def of(self, subject: Subject) -> str | None:
        """The text that counts for this case; None when the case has no such text."""
        if self.variable is None:
            return self.text
        value = subject.variables.get(self.variable)
        return value.strip() or None if isinstance(value, str) else None


def wanted(given: Mapping[str, Json]) -> Wanted:
    """From the options `text` and `variable`, of which there is one. Raises ValueError."""
    if ("text" in given) == ("variable" in given):
        raise ValueError("give a text, or under 'variable' the name of one of the case's 'vars'")
    if "variable" in given:
        return Wanted("", text(given["variable"], "variable").strip())
    written = given["text"]
    if isinstance(written, bool):
        return Wanted("true" if written else "false", None)
    return Wanted(text(written, "text").strip(), None)


def missing(wanted: Wanted) -> str:
    """The reason where a case has no such text."""
    return f"the case has no text {quoted(wanted.variable)} under 'vars'"
