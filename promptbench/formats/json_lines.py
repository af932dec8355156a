"""Reads a model's answer as JSON Lines, on the same ladder as `json_text`; the value is the list of the lines' values.

On rung `raw` each line that is not blank is JSON. A document that goes over several lines is not JSON Lines, and is
refused: its lines are no values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptbench.core.types import Json, Reading, Repair, Rung
from promptbench.formats import _strict, json_text
from promptbench.formats._names import Refused, rung_of
from promptbench.formats._wrap import unwrap
from promptbench.formats.limits import DEFAULT_LIMITS, Limits

_FENCE_LINE = re.compile(r"\s*(?:`{3,}|~{3,})[ \t]*[\w+-]*\s*\Z")
_SIGN_OF_DATA = re.compile(r"[{}\[\]]")
_PROSE = Reading(Rung.NONE)


def read(text: str, *, limits: Limits = DEFAULT_LIMITS) -> Reading:
    """The answer as a list of values, the rung it is on, and each repair that was needed."""
    try:
        return _climb(text, limits)
    except Refused as refused:
        return Reading(Rung.NONE, error=refused.sentence())


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their offsets. Only LF ends a line: a JSON string may hold U+2028."""
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        if line := text[start:stop].strip(" \t\r"):
            yield start, line
        start = stop + 1


def _climb(text: str, limits: Limits) -> Reading:
    if len(text) > limits.characters:
        raise Refused("too_big", f"The text is too big: more than {limits.characters:,} characters")
    values: list[Json] = []
    for _, line in _lines(text, 0, len(text)):
        value = _strict.parse(line, limits.depth)
        if value is _strict.MISSING:
            return _repair(text, limits)
        values.append(value)
    if not values:
        raise Refused("empty", "The answer is empty")
    return Reading(Rung.RAW, values)


def _repair(text: str, limits: Limits) -> Reading:
    body = unwrap(text)
    repairs = list(body.repairs)
    values: list[Json] = []
    prose_behind: int | None = None
    for number, (start, line) in enumerate(_lines(text, body.start, body.end), 1):
        if _FENCE_LINE.match(line):
            repairs.append(Repair("fence", start))
            continue
        is_data = _SIGN_OF_DATA.search(line) or _strict.parse(line, limits.depth) is not _strict.MISSING
        reading = json_text.read(line, limits=limits) if is_data else _PROSE
        if reading.rung is Rung.NONE:
            if is_data:
                raise Refused("line", f"Line {number} is no value: {reading.error}", start)
            if values and prose_behind is None:
                prose_behind = start
            if not values:
                repairs.append(Repair("prose_around", start))
        elif prose_behind is not None:
            raise Refused("line", f"There is prose between the values before line {number}", start)
        else:
            values.append(reading.value)
            repairs += (Repair(repair.name, start + repair.position) for repair in reading.repairs)
    if prose_behind is not None:
        repairs.append(Repair("prose_around", prose_behind))
    if not values:
        raise Refused("no_data", "There is no JSON value in the text")
    return Reading(rung_of(repairs), values, tuple(repairs))
