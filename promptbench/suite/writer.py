"""Puts cases into a suite file that a person wrote: lines are added, and not one byte of the others changes.

The file is not written anew from its data: libraries that do that keep comments and order, and still set spaces, quotes
and long lines as they like. Here the place behind the last case is found by the marks of YAML's events, and text goes
in there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from promptbench.core.canonical import lf
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.types import Json
from promptbench.formats.marked_yaml import parse
from promptbench.formats.source import Source
from promptbench.formats.yaml_text import in_braces, item_lines
from promptbench.suite.models import field_name

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CASES = "cases"
LINE_ENDS = re.compile(r"\r\n|\r|\n")


def with_cases(raw: bytes, shown: str, cases: Sequence[Mapping[str, Json]]) -> bytes:
    """The bytes of a sound suite file with `cases` behind those it has.

    Raises InputError when its cases are written in a way that none can be added to, or when one holds what YAML cannot.
    """
    encoding = encoding_of(raw)
    text = raw.decode(encoding)
    mark, text = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    normal = lf(text)
    try:
        addition = _addition(normal, cases)
    except ValueError as error:
        raise InputError(f"no case can be added to {shown}: {error}", hint=BY_HAND) from None
    _check_only_added(normal, addition.applied(normal), shown, cases)
    end = match[0] if (match := LINE_ENDS.search(text)) else "\n"
    position = _position_in(text, normal, addition.position)
    return (mark + _Addition(position, addition.text.replace("\n", end)).applied(text)).encode(encoding)


BY_HAND = "write its cases as lines below 'cases:', each starting with '- '"


def write_whole(path: Path, content: bytes, check: Callable[[Path], object] = lambda _: None) -> None:
    """Puts `content` into the place of a file, at once or not at all, also through a link.

    `check` is given the new file before that, in the same folder; what it raises leaves the old one in its place.
    """
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        check(temporary)
        shutil.copymode(path, temporary)
        temporary.replace(path)
    except OSError as error:
        raise EnvironmentFailure(f"{path} cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)


def encoding_of(raw: bytes) -> str:
    """The encoding as `read_source` finds it, in the form that has the mark of the byte order as a character."""
    if raw.startswith(b"\xff\xfe"):
        return "utf-16-le"
    return "utf-16-be" if raw.startswith(b"\xfe\xff") else "utf-8"


@dataclass(frozen=True, slots=True)
class _Addition:
    """A text that goes in at a position."""

    position: int
    text: str

    def applied(self, text: str) -> str:
        return text[: self.position] + self.text + text[self.position :]


def _position_in(text: str, normal: str, position: int) -> int:
    """A position in a text with LF line ends as one in the same text as it is."""
    lines = normal.count("\n", 0, position)
    start = 0
    for number, match in enumerate(LINE_ENDS.finditer(text)):
        if number == lines:
            break
        start = match.end()
    return start + position - (normal.rfind("\n", 0, position) + 1)


def _check_only_added(before: str, after: str, shown: str, cases: Sequence[Mapping[str, Json]]) -> None:
    """Reads both again: whatever the layout was, nothing may mean anything else than before."""
    found = Diagnostics()
    documents = [parse(Source(shown, text), found) for text in (before, after)]
    old, new = (document.value if document else None for document in documents)
    if isinstance(old, dict) and isinstance(new, dict) and not found.errors:
        had = next((old[key] for key in old if field_name(key) == _CASES), None) or []
        has = next((new[key] for key in new if field_name(key) == _CASES), None)
        others = [{key: value for key, value in item.items() if field_name(key) != _CASES} for item in (old, new)]
        if others[0] == others[1] and has == [*had, *cases]:
            return
    raise InputError(f"no case can be added to {shown}: its layout is too unusual", hint=BY_HAND)


@dataclass(slots=True)
class _Layout:
    """Where the cases of a file stand. Positions are in characters.

    `items` are where the entries of the list start; `content_end` is where what is written in it ends.
    """

    root_column: int = 0
    kind: str = "absent"
    start: int = 0
    items: list[int] = field(default_factory=list)
    content_end: int = 0
    document_end: int | None = None


def _addition(text: str, cases: Sequence[Mapping[str, Json]]) -> _Addition:
    """What to add, and where. Raises ValueError, with why not."""
    layout = _layout(text)
    if layout.kind == "braces":
        inside = ", ".join(in_braces(case) for case in cases)
        return _Addition(layout.content_end, f", {inside}" if layout.items else inside)
    if layout.kind == "list":
        return _behind_last(text, layout, cases)
    lines: list[str] = []
    column = layout.root_column
    if layout.kind == "absent":
        position = len(text) if layout.document_end is None else layout.document_end
        lines += ["", " " * column + f"{_CASES}:"]
    else:
        position = next_line(text, layout.start)
    for index, case in enumerate(cases):
        lines += [*([""] if index else []), *item_lines(case, column + 2)]
    return _Addition(position, _as_lines(text, position, lines))


def _behind_last(text: str, layout: _Layout, cases: Sequence[Mapping[str, Json]]) -> _Addition:
    start = text.rfind("\n", 0, layout.items[-1]) + 1
    before = text[start : layout.items[-1]]
    if before.strip() != "-":
        raise ValueError("its last case does not start a line")
    column = before.index("-")
    position = behind_comments(text, next_line(text, layout.content_end - 1), column)
    apart = len(layout.items) == 1 or _has_blank_above(text, start)
    # A block that keeps the empty lines behind it would keep one more.
    keeps = text[layout.content_end - 1] == "\n"
    lines: list[str] = []
    for index, case in enumerate(cases):
        lines += [*([""] if apart and (index or not keeps) else []), *item_lines(case, column)]
    return _Addition(position, _as_lines(text, position, lines))


def _as_lines(text: str, position: int, lines: Sequence[str]) -> str:
    start = "" if position == 0 or text[position - 1] == "\n" else "\n"
    return start + "".join(f"{line}\n" for line in lines)


def next_line(text: str, position: int) -> int:
    """Where the line behind the one of `position` starts."""
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def behind_comments(text: str, position: int, column: int) -> int:
    """Behind the comments that still belong to what is above: those that are indented deeper than its dash."""
    end = look = position
    while look < len(text):
        following = next_line(text, look)
        line = text[look:following]
        if line.strip() and not (line.lstrip().startswith("#") and len(line) - len(line.lstrip()) > column):
            break
        look = following
        end = look if line.strip() else end
    return end


def _has_blank_above(text: str, start: int) -> bool:
    """Whether an empty line stands above the line at `start` and its comments."""
    while start:
        above = text.rfind("\n", 0, start - 1) + 1
        line = text[above:start].strip()
        if not line.startswith("#"):
            return not line
        start = above
    return False


def _layout(text: str) -> _Layout:
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    root = next(event for event in events if isinstance(event, yaml.MappingStartEvent))
    if root.flow_style:
        raise ValueError("the whole suite stands in braces")
    start, _ = _span(root)
    layout = _Layout(start - (text.rfind("\n", 0, start) + 1))
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        value = next(events)
        inside = list(_inside(value, events))
        if field_name(getattr(key, "value", "")) == _CASES:
            layout.start = key.start_mark.index
            _read_cases(text, value, inside, layout)
    end = next(events)
    layout.document_end = end.start_mark.index if end.explicit else None
    return layout


def _inside(first: Any, events: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    """The events that belong to a value which starts with `first`, each with how deep in it it is."""
    depth = int(isinstance(first, _STARTS))
    while depth:
        event = next(events)
        depth -= isinstance(event, _ENDS)
        yield depth, event
        depth += isinstance(event, _STARTS)


_STARTS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def _read_cases(text: str, first: Any, inside: Sequence[tuple[int, Any]], layout: _Layout) -> None:
    start, end = _span(first)
    if isinstance(first, yaml.ScalarEvent) and start == end:
        layout.kind = "blank"
        return
    if not isinstance(first, yaml.SequenceStartEvent):
        raise ValueError("'cases:' is no list; start its lines with '- '")
    layout.kind = "braces" if first.flow_style else "list"
    layout.items = [event.start_mark.index for depth, event in inside if depth == 1 and not isinstance(event, _ENDS)]
    ends = [_content_end(text, event) for depth, event in inside if depth]
    layout.content_end = max([end, *ends])


def _content_end(text: str, event: Any) -> int:
    """Where what an event stands for ends in the file; 0 for what has no end of its own."""
    start, end = _span(event)
    if isinstance(event, yaml.ScalarEvent) and event.style in ("|", ">"):
        keeps = "+" in text[start : text.find("\n", start)].partition("#")[0]
        return end if keeps else len(text[:end].rstrip())
    closes = isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)) or text[end - 1 : end] in ("]", "}")
    return end if closes and start != end else 0


def _span(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index
