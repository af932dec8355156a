"""Why an answer fails, in words that are equal where the cause is: what differs from answer to answer is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from promptbench.core.types import Attempt, Rung, Score
from promptbench.formats import json_text

_LONGEST = 120
_LOOKED_AT = 1_000
"""Characters of a reason; what a function of an author gives may be longer."""
_EXPECTED_AND_GOT = re.compile(
    r"\b(expected) (?:'.*?'|'[^']*…|-?\d[^,;]*|[\[{].*?)(?=, got\b)"
    r"|(, got) (?:'.*?(?:'|…)|-?\d[\d.e+-]*|[\[{].*?)(?=$|; |, which\b|\.\.\.| \()"
)
"""The values in a reason, such as `team: expected 'billing', got 'sales'`. null, true and false say something."""
# Reasons that earlier versions recorded.
_GOT = re.compile(r"\b(is|has) (?:'.*?'|'[^']*…|-?\d[^,;]*|[\[{].*?)(?=, (?:not|none of|which)\b)")
"""What an answer had at a place. null, true and false say something by themselves."""
_WANTED = re.compile(r", not (?:'.*?(?:'|…)|-?\d[\d.e+-]*|[\[{].*?)(?=$|; |\.\.\.| \()")
"""What one case wants there, and another case not."""
_NUMBER = re.compile(
    r"'[^']*'|\b(?:at least|at most|more than|less than|multiple of) -?\d(?:[\d.,]*\d)?|(?<![\w.])-?\d(?:[\d.,:]*\d)?"
)
"""Quoted names and limits stay."""
_INDEX = re.compile(r"(?<=[^\W\d]\.)\d+(?=[.: ])|^\d+(?=\.)")
_VARIABLE_PART = re.compile(r"\b[0-9a-f]{8,}\b|\b\w*\d\w*\b", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*(?:'|$)")


def cause_of(attempt: Attempt) -> str:
    """Why an answered attempt fails."""
    unread = attempt.answer is not None and attempt.rung is Rung.NONE
    return (json_fault(attempt.answer.text) if unread and attempt.answer else None) or cause_of_scores(attempt.scores)


def cause_of_scores(scores: Iterable[Score]) -> str:
    """The first check that fails and counts, with its reason."""
    first = next((score for score in scores if not score.passed and score.weight), None)
    return f"{first.check}: {without_values(first.reason)}" if first else "the checks"


def json_fault(answer: str) -> str | None:
    """What is wrong with an answer as JSON; None for one that is nothing but JSON."""
    fault = json_text.fingerprint(answer)
    return f"JSON: {fault}" if fault else None


def without_values(reason: str) -> str:
    """A check's reason with the names of fields, and without what the answer had there or a single case wants there."""
    plain = _INDEX.sub("*", " ".join(reason[:_LOOKED_AT].split()))
    plain = _EXPECTED_AND_GOT.sub(lambda found: f"{found[1] or found[2]} …", plain)
    plain = _WANTED.sub(", not …", _GOT.sub(r"\1 …", plain))
    return _cut(_NUMBER.sub(lambda found: "…" if found[0][0] in "-0123456789" else found[0], plain))


def without_details(message: str) -> str:
    """The message of a program without quoted parts, numbers and ids."""
    return _cut(" ".join(_VARIABLE_PART.sub("#", _QUOTED.sub("…", message[:_LOOKED_AT])).split()))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
