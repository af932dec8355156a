"""Classify the text around a value: a fence, a tag, prose, or a sign that the value is only a part of something."""

from __future__ import annotations

import re

from promptbench.core.types import Repair
from promptbench.parsing._candidates import ParsedValue
from promptbench.parsing._names import ReadError
from promptbench.parsing._wrap import Body, is_code

_FENCE_BEFORE = re.compile(r"(?:`{3,}|~{3,})[ \t]*(?:[A-Za-z][\w+-]*)?\s*\Z|`\Z")
_TAG_BEFORE = re.compile(r"<[A-Za-z][\w.:-]*(?:\s[^<>]*)?>\s*\Z")
_FENCE_AFTER = re.compile(r"\s*+(?:`{3,}|~{3,}|`)")
_TAG_AFTER = re.compile(r"\s*+</[A-Za-z][\w.:-]*>")
_FENCE_LANGUAGE = re.compile(r"[`~]+[ \t]*([A-Za-z][\w+-]*)?")

_CODE_BEFORE = re.compile(
    r"(?:[\w\])]\s*\(|[\w\])\\$]|\)\s*=>|(?<![-=<>!])=|\b(?:return|yield|await|lambda\b.*:)|[+/%&|?])\s*\Z"
)
_JSON_WORD_BEFORE = re.compile(r"(?:\A|[^\w])json\s*\Z", re.IGNORECASE)
_SPACED = re.compile(r"[\w\])]\s+\Z")
_CODE_AFTER = re.compile(r"\s*+(?:\.\w++\s*+[(\[=]|\(|\+|=(?!=)|\?\s)")
_DATA_BEFORE = re.compile(r"""["'”]\s*[:,]\s*\Z|[\]}]\s*,\s*\Z""")
_DATA_AFTER = re.compile(r"""\s*+(?:,?\s*+["'“](?:[^"'“”\n]{1,200}+)?["'”]\s*+[:,\]}]|,\s*+["{\[]|:\s)""")
_LABEL = re.compile(r"(?:\A|\n)\s*[\w$-]+\s*:\s*\Z")
_CLOSERS = re.compile(r"\s*+[}\]]")
_REFUSAL = re.compile(
    r"\b(?:I['’]?m sorry|I am sorry|I apologi[sz]e|I (?:can|won|do)['’]t|I (?:can|will) ?not|I['’]m (?:not able|unable)"
    r"|I am (?:not able|unable)|As an AI|unable to (?:help|assist|comply|fulfil))",
    re.IGNORECASE,
)
_WINDOW = 200


def is_refusal(text: str, body: Body) -> bool:
    """Return True if the answer begins like a model that declines."""
    return _REFUSAL.search(text, body.start, min(body.end, body.start + _WINDOW)) is not None


def repairs_around(text: str, body: Body, found: ParsedValue) -> tuple[Repair, ...]:
    """Return the repairs that separate `found` from the rest of the body.

    Raises:
        ReadError: if the value is code, or only a part of something.
    """
    before, prose = _repairs_before(text, body, found)
    closers, end = _extra_closers(text, body, found)
    after, prose_after = _repairs_after(text, body, end)
    if prose or prose_after is not None:
        first = body.start if prose else prose_after
        assert first is not None
        before.append(Repair("prose_around", first))
    return (*before, *closers, *after)


def _repairs_before(text: str, body: Body, found: ParsedValue) -> tuple[list[Repair], bool]:
    repairs: list[Repair] = []
    stop, fence = found.start, False
    while wrap := _last_wrap(text, body.start, stop):
        stop, name = wrap
        fence = fence or name == "fence"
        repairs.append(Repair(name, stop))
    if not text[body.start : stop].strip():
        return repairs, False
    tail = text[max(body.start, stop - _WINDOW) : stop]
    if not fence:
        _refuse_code(text, body, stop, tail)
    if not repairs and _DATA_BEFORE.search(tail):
        raise ReadError("part", "The value is a part of something whose beginning is missing", found.start)
    if _inline(text, body, found) and is_refusal(text, body):
        raise ReadError("refusal", "The model declines to answer", body.start)
    return repairs, True


def _last_wrap(text: str, start: int, stop: int) -> tuple[int, str] | None:
    low = max(start, stop - _WINDOW)
    if fence := _FENCE_BEFORE.search(text, low, stop):
        return fence.start(), "fence"
    if tag := _TAG_BEFORE.search(text, low, stop):
        return tag.start(), "xml_wrap"
    return None


def _refuse_code(text: str, body: Body, stop: int, tail: str) -> None:
    last = max(text.rfind("```", body.start, stop), text.rfind("~~~", body.start, stop))
    language = _FENCE_LANGUAGE.match(text, last, stop) if last >= 0 else None
    in_program = body.is_code or (language is not None and is_code((language[1] or "").lower()))
    adjacent = _CODE_BEFORE.search(tail) and not _JSON_WORD_BEFORE.search(tail)
    if adjacent and _SPACED.search(tail) and not re.search(r"\b(?:return|yield|await)\s*\Z", tail):
        adjacent = False
    if in_program or adjacent:
        raise ReadError("code", "The value is part of program code", stop)


def _inline(text: str, body: Body, found: ParsedValue) -> bool:
    line = text.rfind("\n", body.start, found.start) + 1
    return bool(text[max(line, body.start) : found.start].strip())


def _extra_closers(text: str, body: Body, found: ParsedValue) -> tuple[list[Repair], int]:
    """Return a repair for each closing bracket right after the value, and the offset after the last one.

    They are safely removed only after an object in which nothing was closed before: an array may have lost its opening
    bracket (`[1]]` was `[[1]]`), `label: {...}}` an object around the label, and in `{"a": {}, "b": 1}}` the first
    closing bracket may be the wrong one.
    """
    repairs: list[Repair] = []
    superfluous = _is_closed_once(text, body, found)
    end = found.end
    while closer := _CLOSERS.match(text, end, body.end):
        end = closer.end()
        safe = superfluous and text[end - 1] == "}"
        repairs.append(Repair("extra_closer" if safe else "mismatched_closer", end - 1))
    return repairs, end


def _is_closed_once(text: str, body: Body, found: ParsedValue) -> bool:
    last = text[found.start : found.end].rstrip("}] \t\r\n")
    if not isinstance(found.value, dict) or "}" in last:
        return False
    if _LABEL.search(text[max(body.start, found.start - _WINDOW) : found.start]):
        return False
    next_closer = _CLOSERS.match(text, found.end, body.end)
    if next_closer and "\n" in next_closer[0]:
        return _indent(text, found.start) == _indent(text, found.end - 1) and "\n" in text[found.start : found.end]
    return True


def _indent(text: str, position: int) -> int:
    line = text.rfind("\n", 0, position) + 1
    return len(text[line:position]) - len(text[line:position].lstrip(" \t"))


def _repairs_after(text: str, body: Body, end: int) -> tuple[list[Repair], int | None]:
    """Return the repairs after the value, and the offset where prose begins there; None if there is no prose."""
    repairs: list[Repair] = []
    if _CODE_AFTER.match(text, end, body.end):
        raise ReadError("code", "The value is part of program code", end)
    if _DATA_AFTER.match(text, end, body.end):
        raise ReadError("part", "The value is a part of something that continues after it", end)
    while wrap := _FENCE_AFTER.match(text, end, body.end) or _TAG_AFTER.match(text, end, body.end):
        end = wrap.end()
    rest = text[end : body.end]
    if not rest.strip():
        return repairs, None
    for opener, closer in ("{}", "[]"):
        if rest.count(closer) > rest.count(opener):
            repairs.append(Repair("mismatched_closer", end + rest.rfind(closer)))
    return repairs, end
