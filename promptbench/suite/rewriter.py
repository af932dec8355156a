"""Changes cases in a suite file that a person wrote: only the lines of what is different are written anew.

A key whose value stays keeps its lines, byte for byte, and comments stay with what they are about. `writer` adds cases;
here those that are there change or go.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from promptbench.core.canonical import lf
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError
from promptbench.core.types import Json
from promptbench.formats.marked_yaml import parse
from promptbench.formats.source import Source
from promptbench.formats.yaml_text import in_braces, item_lines, mapping_lines
from promptbench.suite.models import field_name
from promptbench.suite.tables import as_json, is_same_data
from promptbench.suite.writer import BY_HAND, LINE_ENDS, behind_comments, encoding_of, next_line

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_COMMENT = re.compile(r"(?:^|(?<=\s))#(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Change:
    """What a case is from now on; `comment` is what stands above it, None where that stays."""

    data: Mapping[str, Json]
    comment: str | None = None


def comments_above(text: str) -> list[str]:
    """The comments directly above the entries of `cases:` in a sound suite file with LF, without their signs."""
    return [item.comment for item in _items(text)]


def entries(raw: bytes) -> int:
    """How many entries `cases:` has in a sound suite file."""
    return len(_items(lf(raw.decode(encoding_of(raw)).removeprefix("\ufeff"))))


def with_lines(
    raw: bytes, changes: Mapping[int, Mapping[str, Json] | None], added: Sequence[Mapping[str, Json]]
) -> bytes:
    """The bytes of a file with a case on each line, some of them changed by their index, and more behind them."""
    lines = [line for line in re.split(rb"(?<=\n)", raw) if line]
    end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    for index, data in changes.items():
        mark = codecs.BOM_UTF8 if index == 0 and raw.startswith(codecs.BOM_UTF8) else b""
        lines[index] = mark + (b"" if data is None else as_json(data).encode() + end)
    lines = [line for line in lines if line]
    if lines and added and not lines[-1].endswith(b"\n"):
        lines[-1] += end
    return b"".join([*lines, *(as_json(data).encode() + end for data in added)])


def with_changes(raw: bytes, shown: str, changes: Mapping[int, Change | None]) -> bytes:
    """The bytes of a sound suite file with some entries of `cases:` changed, by their index; None takes one out.

    Raises InputError when they are written in a way that they cannot be, or when one holds what YAML cannot.
    """
    encoding = encoding_of(raw)
    text = raw.decode(encoding)
    mark, text = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    normal = lf(text)
    before = _value(normal, shown)
    try:
        items = _items(normal)
        edits = sorted(edit for index, change in changes.items() for edit in items[index].edits(change, before[index]))
    except (ValueError, IndexError) as error:
        raise InputError(f"the cases of {shown} cannot be changed: {error}", hint=BY_HAND) from None
    after = _applied(normal, edits)
    wanted = [changes.get(index, Change(case)) for index, case in enumerate(before)]
    # Without any case, nothing is written behind the key.
    left = [item.data for item in wanted if item] or None
    if not is_same_data(_whole(after, shown), {**_whole(normal, shown), _key(normal): left}):
        message = f"the cases of {shown} cannot be changed: their layout is too unusual"
        raise InputError(message, hint="change them by hand")
    end = match[0] if (match := LINE_ENDS.search(text)) else "\n"
    location = _Lines(normal, text).location
    as_they_are = [(location(start), location(stop), new.replace("\n", end)) for start, stop, new in edits]
    return (mark + _applied(text, as_they_are)).encode(encoding)


_Edit = tuple[int, int, str]
"""From where to where a text is replaced, and by what."""


def _applied(text: str, edits: Sequence[_Edit]) -> str:
    parts, behind = [], 0
    for start, stop, new in edits:
        parts += [text[behind:start], new]
        behind = stop
    return "".join([*parts, text[behind:]])


class _Lines:
    """Positions in a text with LF as positions in the same text as it is."""

    def __init__(self, normal: str, text: str) -> None:
        self._normal = [0, *(at + 1 for at, char in enumerate(normal) if char == "\n")]
        self._text = [0, *(match.end() for match in LINE_ENDS.finditer(text))]

    def location(self, position: int) -> int:
        line = bisect_right(self._normal, position) - 1
        return self._text[line] + position - self._normal[line]


def _whole(text: str, shown: str) -> Any:
    document = parse(Source(shown, text), found := Diagnostics())
    return document.value if document and not found.errors else None


def _key(text: str) -> str:
    return next(str(key) for key in _whole(text, "") if field_name(key) == "cases")


def _value(text: str, shown: str) -> list[Any]:
    listed = _whole(text, shown)[_key(text)]
    return listed if isinstance(listed, list) else []


def _items(text: str) -> list[_Item]:
    root: Any = yaml.compose(text, Loader=_Loader)
    found = [pair for pair in root.value if field_name(pair[0].value) == "cases"]
    if not found or not isinstance(found[0][1], yaml.SequenceNode):
        return []
    key, listed = found[0]
    items, behind = [], next_line(text, key.end_mark.index)
    for node in listed.value:
        items.append(_Item(text, node, behind, in_brackets=bool(listed.flow_style)))
        behind = next_line(text, max(0, _content_end(text, node) - 1))
    return items


def _content_end(text: str, node: Any) -> int:
    """Where what a node says ends in the file; 0 for one that says nothing."""
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode):
        if node.style in ("|", ">"):
            keeps = "+" in text[start : text.find("\n", start)].partition("#")[0]
            return end if keeps else len(text[:end].rstrip())
        return end if start != end else 0
    if node.flow_style:
        return end
    return max([0, *(_content_end(text, part) for part in _parts(node))])


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


class _Item:
    """An entry of `cases:`. `behind` is where what stands before it ends."""

    def __init__(self, text: str, node: yaml.Node, behind: int, *, in_brackets: bool) -> None:
        self._text = text
        self._node = node
        self._behind = behind
        self._in_brackets = in_brackets
        self._start = node.start_mark.index
        self._line = text.rfind("\n", 0, self._start) + 1
        self._own_line = text[self._line : self._start].strip() == "-"
        self._column = text[self._line : self._start].find("-")

    @cached_property
    def _top(self) -> int:
        """Where its comments begin; those deeper than its dash belong to what is above."""
        top = self._line
        while self._own_line and top > self._behind:
            above = self._text.rfind("\n", 0, top - 1) + 1
            line = self._text[above : top - 1]
            if above < self._behind or not line.lstrip().startswith("#") or _indent(line) > self._column:
                break
            top = above
        return top

    @property
    def comment(self) -> str:
        lines = self._text[self._top : self._line].splitlines()
        return "\n".join(line.strip()[1:].removeprefix(" ") for line in lines)

    def edits(self, change: Change | None, before: Json) -> Iterator[_Edit]:
        """Raises ValueError where its layout does not allow them."""
        if not self._own_line and (not self._in_brackets or change is None or change.comment):
            raise ValueError("one of them does not start a line with '- '")
        if change is None:
            yield self._removal()
            return
        if change.comment is not None and change.comment != self.comment:
            yield self._top, self._line, _as_comment(change.comment, self._column)
        if is_same_data(before, dict(change.data)):
            return
        if not isinstance(self._node, yaml.MappingNode) or self._node.flow_style:
            yield self._start, self._node.end_mark.index, in_braces(change.data)
            return
        pairs = self._node.value
        if pairs[0][0].value in change.data:
            yield from self._by_key(pairs, change.data, before)
            return
        lines = "\n".join(item_lines(change.data, self._column))
        inside = "".join(_as_comment(text, self._column) for text in self._comments(self._start, self._end, pairs))
        yield self._line, self._end, f"{inside}{lines}\n"

    @property
    def _end(self) -> int:
        return next_line(self._text, max(0, _content_end(self._text, self._node) - 1))

    def _removal(self) -> _Edit:
        top, end = self._top, behind_comments(self._text, self._end, self._column)
        blank = self._text[:top].endswith("\n\n") and (end == len(self._text) or self._text[end : end + 1] == "\n")
        return top - blank, end, ""

    def _by_key(self, pairs: Sequence[Any], data: Mapping[str, Json], before: Json) -> Iterator[_Edit]:
        column = self._start - self._line
        last = self._line
        for index, (key, value) in enumerate(pairs):
            name = key.value
            start = key.start_mark.index if index == 0 else self._text.rfind("\n", 0, key.start_mark.index) + 1
            ends = [_content_end(self._text, key), _content_end(self._text, value)]
            # A deeper comment below would become part of a text of several lines.
            last = behind_comments(self._text, next_line(self._text, max(ends) - 1), column)
            if name not in data:
                yield start, last, ""
            elif not is_same_data(data[name], before[name]):
                lines = mapping_lines({name: data[name]}, column)
                comments = self._comments(start, last, [(key, value)])
                if len(lines) == 1 and len(comments) == 1:
                    lines[0] += f"  # {comments[0]}"
                elif comments and index == 0:
                    yield self._line, self._line, "".join(_as_comment(text, self._column) for text in comments)
                elif comments:
                    lines[:0] = ["".join(_as_comment(text, column) for text in comments).rstrip("\n")]
                yield start, last, "\n".join(lines)[column if index == 0 else 0 :] + "\n"
        more = {name: value for name, value in data.items() if name not in before}
        if more:
            start = "" if self._text[last - 1 : last] == "\n" else "\n"
            yield last, last, start + "\n".join(mapping_lines(more, column)) + "\n"

    def _comments(self, start: int, end: int, pairs: Sequence[Any]) -> list[str]:
        """The comments between what is written in a stretch of the file."""
        masked = list(self._text[start:end])
        for node in (leaf for pair in pairs for part in pair for leaf in _leaves(part)):
            first = node.start_mark.index
            if node.style in ("|", ">"):
                first = self._text.find("\n", first)
            for at in range(first, min(_content_end(self._text, node), end)):
                masked[at - start] = "\n" if masked[at - start] == "\n" else "x"
        return [found[1].strip() for found in _COMMENT.finditer("".join(masked))]


def _leaves(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    for part in _parts(node):
        yield from _leaves(part)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _as_comment(text: str, column: int) -> str:
    return "".join(f"{' ' * column}# {line}".rstrip() + "\n" for line in text.split("\n")) if text else ""
