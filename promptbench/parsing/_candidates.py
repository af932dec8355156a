"""Find the values in a text, and skip comments and brackets that belong to prose.

An opening bracket that cannot be read ends the search: looking inside it would take a part for the whole.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from promptbench.core.types import Json, Repair
from promptbench.parsing import _strict
from promptbench.parsing._names import ReadError
from promptbench.parsing._wrap import Body

_OPENER = re.compile(r"[{\[<#/]")
_COMMENT = re.compile(r"<!--|(?:^|(?<=\s))(?:/\*(?=\s)|//|#(?=[\s{\[]))", re.MULTILINE)
_MOST_VALUES = 64

_WORDS = re.compile(
    r"\[\s*(?!(?:true|false|null|True|False|None|NaN)\b)[^\W\d][^\[\]{}\"\n:=]{0,200}\]"
    r"|\{\s*[^\W\d][^\[\]{}\"'\n:=,]{0,200}\}"
)
_REFERENCE = re.compile(r"\[\s*(?:\d{1,4}(?:\s*[,–-]\s*\d{1,4}){0,2})?\s*\]|\{\s*\d*\s*\}")
_STARTS_LINE = re.compile(r"(?:^|[\n:>`,}\]])[ \t]*\Z")


@dataclass(frozen=True, slots=True)
class ParsedValue:
    """A value in a text.

    Args:
        start: offset of its first character.
        end: offset after its last character.
        repairs: the repairs inside it.
        kinds: for the name of each repair, the grammar position where it was first needed.
    """

    value: Json
    start: int
    end: int
    repairs: tuple[Repair, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)


# Reads the value that starts at the first offset and ends before the second. Raises ReadError.
Scan = Callable[[str, int, int], ParsedValue]


def find_values(text: str, body: Body, scan: Scan) -> tuple[list[ParsedValue], ReadError | None]:
    """Return all values of the body in order, and the error that ended the search after the first one.

    Raises:
        ReadError: if the first opening bracket that is not prose cannot be read.
    """
    values: list[ParsedValue] = []
    position = body.start
    while opener := _OPENER.search(text, position, body.end):
        start = opener.start()
        if skipped := (_end_of_prose_group if opener[0] in "{[" else _end_of_comment)(text, start, body):
            position = skipped
            continue
        try:
            found = _read_at(text, start, body.end, scan)
        except ReadError as error:
            if not values:
                raise
            return values, error
        values.append(found)
        position = found.end
        if len(values) > _MOST_VALUES:
            raise ReadError("many_values", f"There are more than {_MOST_VALUES} values", start)
    return values, None


def _end_of_comment(text: str, start: int, body: Body) -> int:
    comment = _COMMENT.match(text, start, body.end)
    if comment is None:
        return start + 1
    closer = {"<!--": "-->", "/*": "*/"}.get(comment[0], "\n")
    end = text.find(closer, comment.end(), body.end)
    return body.end if end < 0 else end + len(closer)


def _read_at(text: str, start: int, end: int, scan: Scan) -> ParsedValue:
    value, stop = _strict.parse_at(text, start)
    if value is not _strict.MISSING and stop <= end:
        return ParsedValue(value, start, stop)
    return scan(text, start, end)


def _end_of_prose_group(text: str, start: int, body: Body) -> int:
    """Return the end of a bracketed remark, reference or placeholder; 0 if data may start here."""
    group = _WORDS.match(text, start, body.end)
    if group is None:
        group = _REFERENCE.match(text, start, body.end)
        if group is None or _STARTS_LINE.search(text[max(body.start, start - 80) : start]):
            return 0
    return 0 if (start, group.end()) == (body.start, body.end) else group.end()
