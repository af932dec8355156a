"""Reads a model's answer as JSON, on the best rung of the ladder that it reaches.

    raw             the whole text is JSON (RFC 8259)
    extracted       JSON, after removing what stands around it
    repaired_safe   not JSON, but with one reading
    repaired_risky  a guess
    none            refused, with the reason

Nothing is raised for any text, and the time is linear in its length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from promptbench.core.types import Json, Reading, Repair, Rung
from promptbench.formats import _strict
from promptbench.formats._around import is_refusal, judge
from promptbench.formats._candidates import Found, find
from promptbench.formats._names import EXTRACTION, Refused, rung_of
from promptbench.formats._scanner import Scanner
from promptbench.formats._strings import QUOTES, read_string
from promptbench.formats._words import read_number
from promptbench.formats._wrap import Body, unwrap
from promptbench.formats.limits import DEFAULT_LIMITS, Limits

_NO_KINDS: Mapping[str, str] = {}
_ONLY_SPACE = re.compile(r"\s*+\Z")
_NUMBER = re.compile(r"[+-]?(?:Infinity|NaN|\.?[0-9][\w.]*(?:[eE][+-]?\w+)?)\Z")
_ESCAPED_QUOTE_FIRST = re.compile(r'[{\[][\s{\[]*+\\"')
_MEMBER_WITHOUT_OPENER = re.compile(r'"[^"\n]{1,200}"\s*+:')
_MEMBER_BEHIND = re.compile(r"""\s*+(,?)\s*+(?=["'“][^"'“”\n]{1,200}+["'”]\s*+:)""")
_MOST_ENCODINGS = 4


def read(text: str, *, limits: Limits = DEFAULT_LIMITS) -> Reading:
    """The answer as data, the rung it is on, and each repair that was needed."""
    try:
        return _climb(text, limits)[0]
    except Refused as refused:
        return Reading(Rung.NONE, error=refused.sentence())


def fingerprint(text: str, *, limits: Limits = DEFAULT_LIMITS) -> str:
    """What is wrong with the format of an answer, independent of its content; empty when it is raw.

    Names the first repair on the worst rung, with its place in the grammar where it has one (`unclosed:object@value`),
    or why the text is refused (`arithmetic:object@after`, `no_data`).
    """
    try:
        reading, kinds = _climb(text, limits)
    except Refused as refused:
        return refused.kind
    for repair in reading.repairs:
        if rung_of([repair]) is reading.rung:
            return kinds.get(repair.name, repair.name)
    return ""


def rung_of_repair(name: str) -> Rung:
    """The best rung that an answer can be on which needs the repair of this name: how far the rule can be trusted."""
    return rung_of([Repair(name, 0)])


def _climb(text: str, limits: Limits) -> tuple[Reading, Mapping[str, str]]:
    if len(text) > limits.characters:
        raise Refused("too_big", f"The text is too big: more than {limits.characters:,} characters")
    value = _strict.parse(text, limits.depth)
    if value is not _strict.MISSING:
        return Reading(Rung.RAW, value) if type(value) is not str else _reading(value, (), limits), _NO_KINDS
    body = unwrap(text)
    if body.repairs:
        value = _strict.parse(text[body.start : body.end], limits.depth)
        if value is not _strict.MISSING:
            return _reading(value, body.repairs, limits), _NO_KINDS
    found = _scalar(text, body, limits) or _members(text, body, limits) or _container(text, body, limits)
    return _reading(found.value, body.repairs + found.repairs, limits), found.kinds


def _reading(value: Json, repairs: tuple[Repair, ...], limits: Limits) -> Reading:
    """A string that holds nothing but an object or array was encoded twice."""
    for _ in range(_MOST_ENCODINGS):
        if not isinstance(value, str) or not value.lstrip().startswith(("{", "[", '"')):
            break
        inner = _strict.parse(value, limits.depth)
        if not isinstance(inner, (dict, list, str)):
            break
        value, repairs = inner, (*repairs, Repair("double_encoded", 0))
    return Reading(rung_of(repairs), value, repairs)


def _scalar(text: str, body: Body, limits: Limits) -> Found | None:
    """A string or a number, if the body is nothing else. A word is prose."""
    if body.start == body.end:
        raise Refused("empty", "The answer is empty")
    if _NUMBER.match(text, body.start, body.end):
        token = read_number(text, body.start, body.end)
        if token.cut or token.value is None or token.end != body.end:
            raise Refused("number", "This number has no single reading", body.start)
        return Found(token.value, body.start, token.end, tuple(Repair(*note) for note in token.notes))
    if text[body.start] not in QUOTES:
        return None
    try:
        string = read_string(text, body.start, body.end, _ONLY_SPACE, ())
    except Refused:
        return None
    names = {note.name for note in string.notes}
    if string.cut or "unescaped_quote" in names:
        return None
    if text[body.start] != '"' and string.value.lstrip().startswith(("{", "[")):
        if "\\" in text:
            raise Refused("quoted", "A quoted document with escapes has two readings", body.start)
        if _strict.parse(string.value, limits.depth) is _strict.MISSING:
            return None
    return Found(string.value, body.start, string.end, tuple(Repair(*note) for note in string.notes))


def _members(text: str, body: Body, limits: Limits) -> Found | None:
    """The members of an object whose braces are missing."""
    if text[body.start] in ":,}]":
        raise Refused("part", "The beginning of the data is missing", body.start)
    if not _MEMBER_WITHOUT_OPENER.match(text, body.start, body.end):
        return None
    return Scanner(text, body.start, body.end, limits.depth).members_of({}, after_comma=False)


def _container(text: str, body: Body, limits: Limits) -> Found:
    """The object or array of the body."""

    def scan(text: str, start: int, end: int) -> Found:
        if _ESCAPED_QUOTE_FIRST.match(text, start, end):
            return _unescape(text, start, end, limits)
        return Scanner(text, start, end, limits.depth).scan()

    values, stopped = find(text, body, limits.depth, scan)
    if not values:
        if is_refusal(text, body):
            raise Refused("refusal", "The model declines to answer", body.start)
        raise Refused("no_data", "There is no JSON object or array in the text")
    first = values[0]
    if isinstance(first.value, dict) and (orphan := _MEMBER_BEHIND.match(text, first.end, body.end)):
        first = _with_orphans(text, body, first, orphan, limits)
        values, stopped = find(text, Body(first.end, body.end), limits.depth, scan)
        values.insert(0, first)
    return _only(text, body, values[0]) if len(values) == 1 and not stopped else _best(text, body, values, stopped)


def _unescape(text: str, start: int, end: int, limits: Limits) -> Found:
    """Data whose quotes are all escaped, as inside of a JSON string."""
    stop = max(text.rfind("}", start, end), text.rfind("]", start, end)) + 1
    content = _strict.parse(f'"{text[start:stop]}"'.replace("\n", "\\n"), limits.depth)
    value = _strict.parse(content, limits.depth) if isinstance(content, str) else _strict.MISSING
    if not isinstance(value, (dict, list)):
        raise Refused("escapes", "There are escaped quotes outside of a string", start)
    return Found(value, start, stop, (Repair("double_encoded", start),))


def _with_orphans(text: str, body: Body, first: Found, orphan: re.Match[str], limits: Limits) -> Found:
    scanner = Scanner(text, orphan.end(), body.end, limits.depth)
    if not orphan[1]:
        scanner.note("missing_comma", orphan.end())
    rest = scanner.members_of(first.value, after_comma=True)
    return Found(rest.value, first.start, rest.end, first.repairs + rest.repairs, {**rest.kinds, **first.kinds})


def _only(text: str, body: Body, found: Found) -> Found:
    around = judge(text, body, found)
    outside = tuple(repair for repair in around if repair.name in EXTRACTION)
    behind = tuple(repair for repair in around if repair.name not in EXTRACTION)
    return Found(found.value, found.start, found.end, outside + found.repairs + behind, found.kinds)


def _best(text: str, body: Body, values: list[Found], stopped: Refused | None) -> Found:
    """The last of several values; one in a fence, and an object, come first."""

    def rank(found: Found) -> tuple[bool, bool, int]:
        fenced = text.count("```", body.start, found.start) % 2 == 1
        return fenced, isinstance(found.value, dict), found.start

    second = values[1].start if len(values) > 1 else stopped.position if stopped else None
    best = max(values, key=rank)
    around = [repair for repair in judge(text, body, best) if repair.name in EXTRACTION]
    many = Repair("many_values", best.end if second is None else second)
    return Found(best.value, best.start, best.end, (*around, *best.repairs, many), best.kinds)
