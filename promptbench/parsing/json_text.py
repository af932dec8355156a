"""Read a model's answer as JSON, on the best rung that it reaches.

    raw             the whole text is JSON (RFC 8259)
    extracted       JSON, once what surrounds it is removed
    repaired_safe   not JSON, but it can be read in one way only
    repaired_risky  a guess
    none            unreadable, with the reason

No text raises, and the time is linear in its length.
"""

import re
from collections.abc import Mapping

from promptbench.core.types import Json, Reading, Repair, Rung
from promptbench.parsing import _strict
from promptbench.parsing._around import is_refusal, is_schema, repairs_around
from promptbench.parsing._candidates import ParsedValue, find_values
from promptbench.parsing._names import EXTRACTION, ReadError, rung_of
from promptbench.parsing._scanner import Scanner
from promptbench.parsing._tokens import QUOTES, read_number, read_string
from promptbench.parsing._wrap import Body, unwrap

_NO_KINDS: Mapping[str, str] = {}
_ONLY_SPACE = re.compile(r"\s*+\Z")
_NUMBER = re.compile(r"[+-]?(?:Infinity|NaN|\.?[0-9][\w.]*(?:[eE][+-]?\w+)?)\Z")
_ESCAPED_QUOTE_FIRST = re.compile(r'[{\[][\s{\[]*+\\"')
_MEMBER_WITHOUT_OPENER = re.compile(r'"[^"\n]{1,200}"\s*+:')
_MEMBER_AFTER = re.compile(r"""\s*+(,?)\s*+(?=["'“][^"'“”\n]{1,200}+["'”]\s*+:)""")
_MOST_ENCODINGS = 4


MOST_CHARACTERS = 1_000_000  # of a text


def read(text: str) -> Reading:
    """Return the answer as data, with its rung and repairs."""
    try:
        return _climb(text)[0]
    except ReadError as error:
        return Reading(Rung.NONE, error=error.sentence())


def fingerprint(text: str) -> str:
    """Return what is wrong with an answer's format, whatever it says; empty if it is raw.

    It is the first repair on the worst rung, with its grammar position if it has one (`unclosed:object@value`), or why
    the text cannot be read (`arithmetic:object@after`, `no_data`).
    """
    try:
        reading, kinds = _climb(text)
    except ReadError as error:
        return error.kind
    for repair in reading.repairs:
        if rung_of([repair]) is reading.rung:
            return kinds.get(repair.name, repair.name)
    return ""


def rung_of_repair(name: str) -> Rung:
    """Return the best rung of an answer that needs this built-in repair."""
    return rung_of([Repair(name, 0)])


def _climb(text: str) -> tuple[Reading, Mapping[str, str]]:
    if len(text) > MOST_CHARACTERS:
        raise ReadError("too_big", f"The text is too big: more than {MOST_CHARACTERS:,} characters")
    value = _strict.parse(text)
    if value is not _strict.MISSING:
        return Reading(Rung.RAW, value) if type(value) is not str else _reading(value, ()), _NO_KINDS
    body = unwrap(text)
    if body.repairs:
        value = _strict.parse(text[body.start : body.end])
        if value is not _strict.MISSING:
            return _reading(value, body.repairs), _NO_KINDS
    found = _scalar(text, body) or _members(text, body) or _container(text, body)
    return _reading(found.value, body.repairs + found.repairs), found.kinds


def _reading(value: Json, repairs: tuple[Repair, ...]) -> Reading:
    # A string that contains nothing but an object or array was encoded twice.
    inner, encodings = value, 0
    while isinstance(inner, str) and inner.lstrip().startswith(("{", "[", '"')) and encodings < _MOST_ENCODINGS:
        inner, encodings = _strict.parse(inner), encodings + 1
    if not encodings or not isinstance(inner, (dict, list)):
        return Reading(rung_of(repairs), value, repairs)
    decoded = (*repairs, *(Repair("double_encoded", 0),) * encodings)
    return Reading(rung_of(decoded), inner, decoded, string=None if repairs else str(value))


def _scalar(text: str, body: Body) -> ParsedValue | None:
    """Return a string or number if the body is nothing else. A word is prose."""
    if body.start == body.end:
        raise ReadError("empty", "The answer is empty")
    if _NUMBER.match(text, body.start, body.end):
        token = read_number(text, body.start, body.end)
        if token.cut or token.value is None or token.end != body.end:
            raise ReadError("number", "This number has no single reading", body.start)
        return ParsedValue(token.value, body.start, token.end, tuple(Repair(*found) for found in token.repairs))
    if text[body.start] not in QUOTES:
        return None
    try:
        string = read_string(text, body.start, body.end, _ONLY_SPACE, ())
    except ReadError:
        return None
    names = {name for name, _ in string.repairs}
    if string.cut or "unescaped_quote" in names:
        return None
    if text[body.start] != '"' and string.value.lstrip().startswith(("{", "[")):
        if "\\" in text:
            raise ReadError("quoted", "A quoted document with escapes has two readings", body.start)
        if _strict.parse(string.value) is _strict.MISSING:
            return None
    return ParsedValue(string.value, body.start, string.end, tuple(Repair(*found) for found in string.repairs))


def _members(text: str, body: Body) -> ParsedValue | None:
    if text[body.start] in ":,}]":
        raise ReadError("part", "The beginning of the data is missing", body.start)
    if not _MEMBER_WITHOUT_OPENER.match(text, body.start, body.end):
        return None
    return Scanner(text, body.start, body.end).members_of({}, after_comma=False)


def _container(text: str, body: Body) -> ParsedValue:
    def scan(text: str, start: int, end: int) -> ParsedValue:
        if _ESCAPED_QUOTE_FIRST.match(text, start, end):
            return _unescape(text, start, end)
        return Scanner(text, start, end).scan()

    values, stopped = find_values(text, body, scan)
    if not values:
        if is_refusal(text, body):
            raise ReadError("refusal", "The model declines to answer", body.start)
        raise ReadError("no_data", "There is no JSON object or array in the text")
    first = values[0]
    if isinstance(first.value, dict) and (orphan := _MEMBER_AFTER.match(text, first.end, body.end)):
        first = _with_orphans(text, body, first, orphan)
        values, stopped = find_values(text, Body(first.end, body.end), scan)
        values.insert(0, first)
    return _only(text, body, values[0]) if len(values) == 1 and not stopped else _best(text, body, values, stopped)


def _unescape(text: str, start: int, end: int) -> ParsedValue:
    """Return data whose quotes are all escaped, as inside a JSON string."""
    stop = max(text.rfind("}", start, end), text.rfind("]", start, end)) + 1
    content = _strict.parse(f'"{text[start:stop]}"'.replace("\n", "\\n"))
    value = _strict.parse(content) if isinstance(content, str) else _strict.MISSING
    if not isinstance(value, (dict, list)):
        raise ReadError("escapes", "There are escaped quotes outside of a string", start)
    return ParsedValue(value, start, stop, (Repair("double_encoded", start),))


def _with_orphans(text: str, body: Body, first: ParsedValue, orphan: re.Match[str]) -> ParsedValue:
    scanner = Scanner(text, orphan.end(), body.end)
    if not orphan[1]:
        scanner.note("missing_comma", orphan.end())
    rest = scanner.members_of(first.value, after_comma=True)
    return ParsedValue(rest.value, first.start, rest.end, first.repairs + rest.repairs, {**rest.kinds, **first.kinds})


def _only(text: str, body: Body, found: ParsedValue) -> ParsedValue:
    around = repairs_around(text, body, found)
    outside = tuple(repair for repair in around if repair.name in EXTRACTION)
    after = tuple(repair for repair in around if repair.name not in EXTRACTION)
    return ParsedValue(found.value, found.start, found.end, outside + found.repairs + after, found.kinds)


def _best(text: str, body: Body, values: list[ParsedValue], stopped: ReadError | None) -> ParsedValue:
    """Return the last of several values; values in a fence take precedence, then objects. A schema comes last."""

    def rank(found: ParsedValue) -> tuple[bool, bool, bool, int]:
        fenced = text.count("```", body.start, found.start) % 2 == 1
        return not is_schema(found.value), fenced, isinstance(found.value, dict), found.start

    second = values[1].start if len(values) > 1 else stopped.position if stopped else None
    best = max(values, key=rank)
    around = [repair for repair in repairs_around(text, body, best) if repair.name in EXTRACTION]
    many = Repair("many_values", best.end if second is None else second)
    return ParsedValue(best.value, best.start, best.end, (*around, *best.repairs, many), best.kinds)
