"""Detection of birth dates by the words before them, in four languages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptbench.redaction._placeholders import Digests, SensitiveSpan, find_marks

_MONTH = (
    r"(?:jan|feb|mar|mär|apr|avr|abr|may|mai|jun|juin|jul|juil|aug|aoû|ago|sep|oct|okt|nov|dec|dez|déc|dic|ene|fév)"
    r"[^\W\d_]{0,7}\.?"
)
_DATE = (
    r"(?:\d{1,4}(?:[./-]\d{1,2}[./-]\d{1,4}|(?:st|nd|rd|th|er|\.|º)?[ ](?:de[ ]|of[ ])?"
    rf"{_MONTH}(?:[ ]del?)?,?[ ]\d{{4}})|{_MONTH}[ ]\d{{1,2}}(?:st|nd|rd|th)?,?[ ]\d{{4}})(?![^\WT_]|[./-]\d)"
)
_SEPARATOR = (
    r"[\"'\\]{0,3}[ ]?[:=]?\s?[\"'\\]{0,3}(?:(?:is|was|on|am|ist|war|le|est|el|es|the)[ ]?:?[ ]){0,2}[\"'\\]{0,3}"
)
# How a label begins and continues, and the January of its language.
_LABELS = {
    "birth": (r"(?:day|[ _-]?date)?", "January"),
    "born": ("", "January"),
    "dob": ("", "January"),
    "d.o.b": (r"\.?", "January"),
    "geb": (r"(?:oren|urtsdatum|urtstag|\.)", "Januar"),
    "naissance": ("", "janvier"),
    "né": (r"e?(?:\(e\))?", "janvier"),
    "nacimiento": ("", "enero"),
    "nacid": ("[oa]", "enero"),
}
MARKS = tuple(_LABELS)
_PATTERNS = {
    mark: re.compile(rf"(?i){re.escape(mark)}{rest}{_SEPARATOR}({_DATE})") for mark, (rest, _) in _LABELS.items()
}
_NAMES = re.compile(rf"(?i)(?:{'|'.join(re.escape(mark) + rest for mark, (rest, _) in _LABELS.items())})\Z")
_PART = re.compile(rf"(\d+)(?:st|nd|rd|th)?|(?i:{_MONTH})")


def may_contain(text: str) -> bool:
    """Return True if `text` has a birth date."""
    return next(_match_labels(text), None) is not None


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the birth dates. Their placeholder depends on the year only, so `digests` is not used."""
    for mark, match in _match_labels(text):
        yield SensitiveSpan(match.start(1), match.end(1), _replace(match[1], _LABELS[mark][1]), "birth date")


def is_sensitive_name(name: str) -> bool:
    """Return True if a field of this name may contain a birth date."""
    return _NAMES.search(name) is not None


def _match_labels(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    for mark, position in find_marks(text, MARKS):
        if match := _PATTERNS[mark].match(text, position):
            yield mark, match


def _replace(written: str, january: str) -> str:
    """Return the first day of the year. The year stays, so that an age is right (as in HIPAA's safe harbor)."""
    has_year = re.search(r"\d{4}", written) is not None
    last = [part.start() for part in _PART.finditer(written) if part[1]][-1]

    def replace(part: re.Match[str]) -> str:
        if not part[1]:
            return january.upper() if part[0].isupper() else january
        if len(part[1]) == 4 or (not has_year and part.start() == last):
            return part[0]
        return "1st" if part[0] != part[1] else "1".zfill(len(part[1]))

    return _PART.sub(replace, written)
