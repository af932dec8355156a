"""Classify the text around a value: a fence, a tag, prose, or a sign that the value is only a part of something."""

import re

from promptbench.core.types import Json, Repair
from promptbench.parsing._candidates import ParsedValue
from promptbench.parsing._names import ReadError
from promptbench.parsing._outside import declines, guesses
from promptbench.parsing._wrap import TOKENS_AFTER, TOKENS_BEFORE, WINDOW, Body, assigns, is_code

_WRAPS_BEFORE = {
    "fence": re.compile(r"(?:`{3,}|~{3,})[ \t]*(?:[A-Za-z][\w+-]*)?\s*\Z|`\Z"),
    "chat_token": re.compile(rf"{TOKENS_BEFORE.pattern}\Z"),
    "xml_wrap": re.compile(r"<[A-Za-z][\w.:-]*(?:\s[^<>]*)?>\s*\Z"),
}
_WRAP_AFTER = re.compile(
    r"\s*+(?:(?P<fence>`{3,}|~{3,}|`)|(?P<think_block></think(?:ing)?>)|(?P<xml_wrap>\]\]>|</[A-Za-z][\w.:-]*>))",
    re.IGNORECASE,
)
_FENCE_LANGUAGE = re.compile(r"[`~]+[ \t]*([A-Za-z][\w+-]*)?")

_CODE_BEFORE = re.compile(
    r"(?:[\w\])]\s*\(|[\w\])\\$]|\)\s*=>|(?<![-=<>!])=|\b(?:return|yield|await|lambda\b.*:)|[+/%&|?])\s*\Z"
)
_JSON_WORD_BEFORE = re.compile(r"(?:\A|[^\w])json\s*\Z", re.IGNORECASE)
_SPACED = re.compile(r"[\w\])]\s+\Z")
_CODE_AFTER = re.compile(r"\(|\s*+(?:\.\w++\s*+[(\[=]|\+|=(?!=)|\?\s)")
_DATA_BEFORE = re.compile(r"""["'”]\s*[:,]\s*\Z|[\]}]\s*,\s*\Z""")
_DATA_AFTER = re.compile(r"""\s*+(?:,?\s*+["'“](?:[^"'“”\n]{1,200}+)?["'”]\s*+[:,\]}]|,\s*+["{\[]|:\s)""")
_LABEL = re.compile(r"(?:\A|\n)\s*[\w$-]+\s*:\s*\Z")
_CLOSERS = re.compile(r"\s*+[}\]]")
_REFUSAL = re.compile(
    r"\b(?:I['’]?m sorry|I am sorry|I apologi[sz]e|I (?:can|won|do)['’]t|I (?:can|will) ?not|I['’]m (?:not able|unable)"
    r"|I am (?:not able|unable)|As an AI|unable to (?:help|assist|comply|fulfil))",
    re.IGNORECASE,
)
_KEYWORD = re.compile(
    r"type|properties|required|items|enum|const|title|description|default|examples|format|pattern|additionalProperties"
    r"|(?:any|one|all)Of|(?:min|max)(?:imum|Items|Length)|\$(?:ref|defs)|definitions"
)


def is_refusal(text: str, body: Body) -> bool:
    """Return True if the answer begins like a model that declines."""
    return _REFUSAL.search(text, body.start, min(body.end, body.start + WINDOW)) is not None


def repairs_around(text: str, body: Body, found: ParsedValue) -> tuple[Repair, ...]:
    """Return the repairs that separate `found` from the rest of the body.

    Raises:
        ReadError: if the value is code, only a part of something, or not given as an answer.
    """
    before: list[Repair] = []
    stop = found.start
    while wrap := _last_wrap(text, body.start, stop):
        stop, name = wrap
        before.append(Repair(name, stop))
    if prose := text[body.start : stop].strip():
        _refuse_before(text, body, found, stop, before)
    closers, end = _extra_closers(text, body, found)
    after, rest = _repairs_after(text, body, end)
    after = [repair for repair in after if repair.name not in {opener.name for opener in before}]
    if after:
        # What was cut off with the opening fence or tag may have had the opening bracket.
        closers = [Repair("mismatched_closer", item.position) for item in closers]
    if prose or text[rest : body.end].strip():
        if is_schema(found.value):
            raise ReadError("schema", "The value is a JSON Schema, not an answer", found.start)
        before.append(Repair("prose_around", body.start if prose else rest))
        after += guesses(text, body.start, stop, end, rest, body.end)
    return (*before, *closers, *after)


def _refuse_before(text: str, body: Body, found: ParsedValue, stop: int, wraps: list[Repair]) -> None:
    tail = text[max(body.start, stop - WINDOW) : stop]
    if all(wrap.name != "fence" for wrap in wraps):
        _refuse_code(text, body, stop, tail)
    if not wraps and _DATA_BEFORE.search(tail):
        raise ReadError("part", "The value is a part of something whose beginning is missing", found.start)
    inline = text[max(body.start, found.start - WINDOW) : found.start].rpartition("\n")[2].strip()
    if (inline and is_refusal(text, body)) or declines(text, body.start, stop):
        raise ReadError("refusal", "The model declines to answer", body.start)


def is_schema(value: Json) -> bool:
    """Return True if a value looks like a JSON Schema, which models repeat from their prompt."""
    return isinstance(value, dict) and (
        "$schema" in value
        or isinstance(value.get("properties"), dict)
        or (
            value.get("type") in ("object", "array", "string", "number", "integer", "boolean", "null")
            and all(map(_KEYWORD.fullmatch, value))
        )
    )


def _last_wrap(text: str, start: int, stop: int) -> tuple[int, str] | None:
    for name, pattern in _WRAPS_BEFORE.items():
        if found := pattern.search(text, max(start, stop - WINDOW), stop):
            return found.start(), "data_around" if assigns(found[0]) else name
    return None


def _refuse_code(text: str, body: Body, stop: int, tail: str) -> None:
    last = max(text.rfind("```", body.start, stop), text.rfind("~~~", body.start, stop))
    language = _FENCE_LANGUAGE.match(text, last, stop) if last >= 0 else None
    in_program = is_code(body.language) or (language is not None and is_code((language[1] or "").lower()))
    spaced = _SPACED.search(tail) and not re.search(r"\b(?:return|yield|await)\s*\Z", tail)
    if in_program or (_CODE_BEFORE.search(tail) and not _JSON_WORD_BEFORE.search(tail) and not spaced):
        raise ReadError("code", "The value is part of program code", stop)


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
    if _LABEL.search(text[max(body.start, found.start - WINDOW) : found.start]):
        return False
    next_closer = _CLOSERS.match(text, found.end, body.end)
    if next_closer and "\n" in next_closer[0]:
        return _indent(text, found.start) == _indent(text, found.end - 1) and "\n" in text[found.start : found.end]
    return True


def _indent(text: str, position: int) -> int:
    line = text.rfind("\n", 0, position) + 1
    return len(text[line:position]) - len(text[line:position].lstrip(" \t"))


def _repairs_after(text: str, body: Body, end: int) -> tuple[list[Repair], int]:
    """Return the repairs right after the value, and the offset where the rest begins."""
    repairs: list[Repair] = []
    if _CODE_AFTER.match(text, end, body.end):
        raise ReadError("code", "The value is part of program code", end)
    if _DATA_AFTER.match(text, end, body.end):
        raise ReadError("part", "The value is a part of something that continues after it", end)
    while wrap := TOKENS_AFTER.match(text, end, body.end) or _WRAP_AFTER.match(text, end, body.end):
        repairs.append(Repair(wrap.lastgroup or "chat_token", wrap.end() - len(wrap[0].lstrip())))
        end = wrap.end()
    if any(repair.name == "think_block" for repair in repairs):
        # The thinking began before the text, so the value is in it.
        repairs.append(Repair("mentioned", end))
    rest = text[end : body.end]
    for opener, closer in ("{}", "[]"):
        if rest.count(closer) > rest.count(opener):
            repairs.append(Repair("mismatched_closer", end + rest.rfind(closer)))
    return repairs, end
