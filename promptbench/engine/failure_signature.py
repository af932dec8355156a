"""Failure signatures: why an answer fails, without the values that differ between answers with the same fault."""

import re
from collections.abc import Iterable

from promptbench.core.types import Attempt, Rung, Score
from promptbench.parsing import json_text

_MAX_LENGTH = 120
# A reason from a Python check may be of any length.
_MAX_REASON = 1_000
# The values in a reason such as `team: expected 'billing', got 'sales'`. null, true and false are informative and stay.
_EXPECTED_AND_GOT = re.compile(
    r"\b(expected) (?:'.*?'|'[^']*…|-?\d[^,;]*|[\[{].*?)(?=, got\b)"
    r"|(, got) (?:'.*?(?:'|…)|-?\d[\d.e+-]*|[\[{].*?)(?=$|; |, which\b|\.\.\.| \()"
)
# Reasons that version 0.1 recorded.
_ACTUAL = re.compile(r"\b(is|has) (?:'.*?'|'[^']*…|-?\d[^,;]*|[\[{].*?)(?=, (?:not|none of|which)\b)")
_EXPECTED = re.compile(r", not (?:'.*?(?:'|…)|-?\d[\d.e+-]*|[\[{].*?)(?=$|; |\.\.\.| \()")
# Quoted names and limits stay.
_NUMBER = re.compile(
    r"'[^']*'|\b(?:at least|at most|more than|less than|multiple of) -?\d(?:[\d.,]*\d)?|(?<![\w.])-?\d(?:[\d.,:]*\d)?"
)
_INDEX = re.compile(r"(?<=[^\W\d]\.)\d+(?=[.: ])|^\d+(?=\.)")
_VARIABLE_PART = re.compile(r"\b[0-9a-f]{8,}\b|\b\w*\d\w*\b", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*(?:'|$)")


def build_signature(attempt: Attempt) -> str:
    """Return the signature of a failed attempt that has an answer."""
    unread = attempt.answer is not None and attempt.rung is Rung.NONE
    fault = find_json_fault(attempt.answer.text) if unread and attempt.answer else None
    return fault or build_score_signature(attempt.scores)


def build_score_signature(scores: Iterable[Score]) -> str:
    """Return the first failed check with a weight, and its reason without values."""
    first = next((score for score in scores if not score.passed and score.weight), None)
    return f"{first.check}: {strip_values(first.reason)}" if first else "the checks"


def find_json_fault(answer: str) -> str | None:
    """Return what is wrong with an answer as JSON; None if it is nothing but JSON."""
    fault = json_text.fingerprint(answer)
    return f"JSON: {fault}" if fault else None


def strip_values(reason: str) -> str:
    """Return a check's reason with field names, without the actual value and without the value one case expects."""
    plain = _INDEX.sub("*", " ".join(reason[:_MAX_REASON].split()))
    plain = _EXPECTED_AND_GOT.sub(lambda found: f"{found[1] or found[2]} …", plain)
    plain = _EXPECTED.sub(", not …", _ACTUAL.sub(r"\1 …", plain))
    return _shorten(_NUMBER.sub(lambda found: "…" if found[0][0] in "-0123456789" else found[0], plain))


def strip_details(message: str) -> str:
    """Return a program's message without quoted parts, numbers and ids."""
    return _shorten(" ".join(_VARIABLE_PART.sub("#", _QUOTED.sub("…", message[:_MAX_REASON])).split()))


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"
