"""Edit the cases of a suite file that a person wrote: only the lines of what is different change.

YAML libraries that write a file anew keep comments and order, but set spaces, quotes and long lines as they like. Here
the positions of the cases come from the parser's events, and text is replaced in between. Every result is parsed again,
and refused unless it means exactly what it should.
"""

from __future__ import annotations

import codecs
import os
import re
import shutil
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from promptbench.core.canonical import lf
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.types import Json
from promptbench.suite.file import field_name
from promptbench.suite.tables import as_json, is_same_data
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source
from promptbench.yaml.text import in_braces, item_lines, mapping_lines

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Any, because the stubs say that an event's marks may be missing.
_CollectionEnd: Any = yaml.CollectionEndEvent
_CASES = "cases"
_COMMENT = re.compile(r"(?:^|(?<=\s))#(.*)$", re.MULTILINE)
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_BY_HAND = "write its cases as lines below 'cases:', each starting with '- '"


@dataclass(frozen=True, slots=True)
class Change:
    """The new content of a case. `comment` goes above it; None keeps the one that is there."""

    data: Mapping[str, Json]
    comment: str | None = None


def edit_cases(raw: bytes, shown: str, changes: Mapping[int, Change | None], added: Sequence[Change] = ()) -> bytes:
    """Return the bytes of a valid suite file with some entries of `cases:` changed, and more added behind them.

    `changes` are by the entry's index, from 0; None removes it. Encoding, line ends, comments and layout are kept.

    Raise InputError if the layout of the cases does not allow it, or if a case holds what YAML cannot.
    """
    if changes:
        raw = _changed(_SuiteText.decode(raw), shown, changes)
    return _extended(_SuiteText.decode(raw), shown, added) if added else raw


def edit_lines(
    raw: bytes, changes: Mapping[int, Mapping[str, Json] | None], added: Sequence[Mapping[str, Json]]
) -> bytes:
    """Return the bytes of a JSON Lines file of cases with some lines changed, by their index, and more added."""
    lines = [line for line in re.split(rb"(?<=\n)", raw) if line]
    end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    for index, data in changes.items():
        mark = codecs.BOM_UTF8 if index == 0 and raw.startswith(codecs.BOM_UTF8) else b""
        lines[index] = mark + (b"" if data is None else as_json(data).encode() + end)
    lines = [line for line in lines if line]
    if lines and added and not lines[-1].endswith(b"\n"):
        lines[-1] += end
    return b"".join([*lines, *(as_json(data).encode() + end for data in added)])


def comments_above(text: str) -> list[str]:
    """Return the comment directly above each entry of `cases:` in a valid suite file with LF, without the # signs."""
    return [item.comment for item in _Layout(text).items]


def write_whole(path: Path, content: bytes, check: Callable[[Path], object] = lambda _: None) -> None:
    """Replace a file atomically, also through a symbolic link.

    `check` is called with the new file before that, in the same folder; if it raises, the old file stays.
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


# Replace the text between two positions.
_Edit = tuple[int, int, str]


def _apply(text: str, edits: Sequence[_Edit]) -> str:
    parts, behind = [], 0
    for start, stop, new in edits:
        parts += [text[behind:start], new]
        behind = stop
    return "".join([*parts, text[behind:]])


@dataclass(frozen=True, slots=True)
class _SuiteText:
    """A suite file: its encoding, byte order mark and text as they are, and the text with LF line ends."""

    encoding: str
    mark: str
    text: str
    normal: str

    @classmethod
    def decode(cls, raw: bytes) -> _SuiteText:
        encoding = "utf-8"
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16-le" if raw.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
        text = raw.decode(encoding)
        mark, text = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
        return cls(encoding, mark, text, lf(text))

    def encode(self, edits: Sequence[_Edit]) -> bytes:
        """Return the file's bytes with edits of `normal` applied, whose line ends become the file's first."""
        end = match[0] if (match := _LINE_ENDS.search(self.text)) else "\n"
        normal = [0, *(at + 1 for at, char in enumerate(self.normal) if char == "\n")]
        actual = [0, *(match.end() for match in _LINE_ENDS.finditer(self.text))]

        def original(position: int) -> int:
            line = bisect_right(normal, position) - 1
            return actual[line] + position - normal[line]

        moved = [(original(start), original(stop), new.replace("\n", end)) for start, stop, new in edits]
        return (self.mark + _apply(self.text, moved)).encode(self.encoding)


def _changed(file: _SuiteText, shown: str, changes: Mapping[int, Change | None]) -> bytes:
    before = _cases(_parsed(file.normal, shown))
    try:
        items = _Layout(file.normal).items
        edits = [edit for index in sorted(changes) for edit in items[index].edits(changes[index], before[index])]
    except (ValueError, IndexError) as error:
        raise InputError(f"the cases of {shown} cannot be changed: {error}", hint=_BY_HAND) from None
    # By position only, so that edits at the same position stay in the order of the cases.
    edits.sort(key=lambda edit: edit[:2])
    wanted = [changes.get(index, Change(case)) for index, case in enumerate(before)]
    if not _means(file.normal, edits, shown, [item.data for item in wanted if item]):
        raise InputError(
            f"the cases of {shown} cannot be changed: their layout is too unusual", hint="change them by hand"
        )
    return file.encode(edits)


def _extended(file: _SuiteText, shown: str, added: Sequence[Change]) -> bytes:
    try:
        edit = _addition(_Layout(file.normal), added)
    except ValueError as error:
        raise InputError(f"no case can be added to {shown}: {error}", hint=_BY_HAND) from None
    before = _cases(_parsed(file.normal, shown))
    if not _means(file.normal, [edit], shown, [*before, *(item.data for item in added)]):
        raise InputError(f"no case can be added to {shown}: its layout is too unusual", hint=_BY_HAND)
    return file.encode([edit])


def _means(text: str, edits: Sequence[_Edit], shown: str, cases: list[Any]) -> bool:
    before, after = _parsed(text, shown), _parsed(_apply(text, edits), shown)
    if not isinstance(before, dict):
        return False
    key = next((key for key in before if field_name(key) == _CASES), _CASES)
    # Nothing is written after the key of no cases.
    return is_same_data(after, {**before, key: cases or None})


def _parsed(text: str, shown: str) -> Any:
    document = parse(Source(shown, text), found := Diagnostics())
    return document.value if document and not found.errors else None


def _cases(suite: Any) -> list[Any]:
    listed = next((suite[key] for key in suite if field_name(key) == _CASES), None) if suite else None
    return listed if isinstance(listed, list) else []


@dataclass(slots=True)
class _Node:
    """A YAML value with its positions in characters. The children of a mapping are its keys and values in turn."""

    event: Any
    start: int
    end: int
    children: list[_Node] = field(default_factory=list)

    @property
    def value(self) -> str:
        return str(getattr(self.event, "value", ""))

    @property
    def flow(self) -> bool:
        return bool(getattr(self.event, "flow_style", False))

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.event, yaml.MappingStartEvent)

    @property
    def is_list(self) -> bool:
        return isinstance(self.event, yaml.SequenceStartEvent)

    @property
    def pairs(self) -> list[tuple[_Node, _Node]]:
        return list(zip(self.children[::2], self.children[1::2], strict=True))

    @property
    def leaves(self) -> Iterator[_Node]:
        if isinstance(self.event, yaml.ScalarEvent):
            yield self
        for child in self.children:
            yield from child.leaves

    def content_end(self, text: str) -> int:
        """Return where the written content ends; 0 if there is none. A block's own end is at the next token."""
        if self.is_mapping or self.is_list:
            return self.end if self.flow else max((child.content_end(text) for child in self.children), default=0)
        if getattr(self.event, "style", None) in ("|", ">"):
            keeps = "+" in text[self.start : text.find("\n", self.start)].partition("#")[0]
            return self.end if keeps else len(text[: self.end].rstrip())
        return self.end if self.start != self.end else 0


def _node(events: Iterator[Any], event: Any) -> _Node:
    """Return the value that starts with `event`. Unlike `yaml.compose`, it keeps where an alias is written."""
    node = _Node(event, event.start_mark.index, event.end_mark.index)
    if node.is_mapping or node.is_list:
        while not isinstance(event := next(events), _CollectionEnd):
            node.children.append(_node(events, event))
        node.end = event.end_mark.index
    return node


class _Layout:
    """Where the cases of a suite file are: their key and value, and `items`, the entries of the list."""

    def __init__(self, text: str) -> None:
        self.text = text
        events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
        self.root = next(_node(events, event) for event in events if isinstance(event, yaml.NodeEvent))
        end: Any = next(events)  # a DocumentEndEvent
        # Where a written "..." ends the document, else the end of the text.
        self.end: int = end.start_mark.index if end.explicit else len(text)
        self.key: _Node | None = None
        self.value: _Node | None = None
        for key, value in self.root.pairs:
            if field_name(key.value) == _CASES:
                self.key, self.value = key, value
        self.items: list[_Item] = []
        if self.key and self.value and self.value.is_list:
            behind = _next_line(text, self.key.end)
            for node in self.value.children:
                self.items.append(_Item(text, node, behind, in_brackets=self.value.flow))
                behind = _next_line(text, max(0, node.content_end(text) - 1))


def _addition(layout: _Layout, added: Sequence[Change]) -> _Edit:
    """Return the edit that adds cases behind those that are there. Raise ValueError if the layout does not allow it."""
    text, key, value = layout.text, layout.key, layout.value
    if layout.root.flow:
        raise ValueError("the whole suite is in braces")
    column = layout.root.start - _line_start(text, layout.root.start)
    if key is None or value is None:
        position, lines, column, apart = layout.end, ["", " " * column + f"{_CASES}:"], column + 2, True
    elif not value.is_list and value.start == value.end:
        position, lines, column, apart = _next_line(text, key.start), [], column + 2, True
    elif not value.is_list:
        raise ValueError("'cases:' is not a list; start its lines with '- '")
    elif value.flow:
        if any(item.comment for item in added):
            raise ValueError("a comment needs a line of its own")
        inside = ", ".join(in_braces(item.data) for item in added)
        last = layout.items[-1].node if layout.items else None
        position = last.content_end(text) if last else text.index("[", value.start) + 1
        return position, position, f", {inside}" if last else inside
    else:
        last_item = layout.items[-1]
        if not last_item.own_line:
            raise ValueError("its last case does not start a line")
        end, column = last_item.node.content_end(text), last_item.column
        position = _behind_comments(text, _next_line(text, end - 1), column)
        apart = len(layout.items) == 1 or _has_blank_above(text, last_item.line)
        # A block that keeps the empty lines behind it would keep one more.
        lines = [""] if apart and text[end - 1] != "\n" else []
    for index, item in enumerate(added):
        lines += [""] if apart and index else []
        lines += [*_comment_lines(item.comment or "", column), *item_lines(item.data, column)]
    start = "" if position == 0 or text[position - 1] == "\n" else "\n"
    return position, position, start + "".join(f"{line}\n" for line in lines)


class _Item:
    """An entry of `cases:`. `behind` is where the text before it ends, `line` where its line starts."""

    def __init__(self, text: str, node: _Node, behind: int, *, in_brackets: bool) -> None:
        self.node = node
        self.line = _line_start(text, node.start)
        self.column = text[self.line : node.start].find("-")
        self.own_line = text[self.line : node.start].strip() == "-"
        self._text = text
        self._behind = behind
        self._in_brackets = in_brackets

    @cached_property
    def _top(self) -> int:
        """Where its comments begin; those deeper than its dash belong to what is above."""
        top = self.line
        while self.own_line and top > self._behind:
            above = _line_start(self._text, top - 1)
            line = self._text[above : top - 1]
            if above < self._behind or not line.lstrip().startswith("#") or _indent(line) > self.column:
                break
            top = above
        return top

    @property
    def comment(self) -> str:
        lines = self._text[self._top : self.line].splitlines()
        return "\n".join(line.strip()[1:].removeprefix(" ") for line in lines)

    def edits(self, change: Change | None, before: Json) -> Iterator[_Edit]:
        """Yield the edits that turn `before` into the change. Raise ValueError if the layout does not allow them."""
        if not self.own_line and (not self._in_brackets or change is None or change.comment):
            raise ValueError("one of them does not start a line with '- '")
        if change is None:
            yield self._removal()
            return
        if change.comment is not None and change.comment != self.comment:
            yield self._top, self.line, _as_text(_comment_lines(change.comment, self.column))
        if is_same_data(before, dict(change.data)):
            return
        if not self.node.is_mapping or self.node.flow:
            yield self.node.start, self.node.end, in_braces(change.data)
        elif self.node.children[0].value in change.data:
            yield from self._by_key(change.data, before)
        else:
            comments = self._comments(self.node.start, self._end, self.node.pairs)
            lines = [*self._above(comments), *item_lines(change.data, self.column)]
            yield self.line, self._end, _as_text(lines)

    @property
    def _end(self) -> int:
        return _next_line(self._text, max(0, self.node.content_end(self._text) - 1))

    def _removal(self) -> _Edit:
        top, end = self._top, _behind_comments(self._text, self._end, self.column)
        blank = self._text[:top].endswith("\n\n") and (end == len(self._text) or self._text[end : end + 1] == "\n")
        return top - blank, end, ""

    def _by_key(self, data: Mapping[str, Json], before: Json) -> Iterator[_Edit]:
        """Yield the edits for the keys that are removed, changed and added; the lines of the others stay."""
        column = self.node.start - self.line
        last = self.line
        for index, (key, value) in enumerate(self.node.pairs):
            name = key.value
            start = key.start if index == 0 else _line_start(self._text, key.start)
            end = max(key.content_end(self._text), value.content_end(self._text))
            # A deeper comment below would become part of a multi-line text.
            last = _behind_comments(self._text, _next_line(self._text, end - 1), column)
            if name not in data:
                yield start, last, ""
            elif not is_same_data(data[name], before[name]):
                lines = mapping_lines({name: data[name]}, column)
                comments = self._comments(start, last, [(key, value)])
                if len(lines) == 1 and len(comments) == 1:
                    lines[0] += f"  # {comments[0]}"
                elif index == 0:
                    yield self.line, self.line, _as_text(self._above(comments))
                else:
                    lines = [*(line for text in comments for line in _comment_lines(text, column)), *lines]
                yield start, last, _as_text(lines)[column if index == 0 else 0 :]
        more = {name: value for name, value in data.items() if name not in before}
        if more:
            start_line = "" if self._text[last - 1 : last] == "\n" else "\n"
            yield last, last, start_line + _as_text(mapping_lines(more, column))

    def _above(self, comments: Sequence[str]) -> list[str]:
        return [line for text in comments for line in _comment_lines(text, self.column)]

    def _comments(self, start: int, end: int, pairs: Sequence[tuple[_Node, _Node]]) -> list[str]:
        masked = list(self._text[start:end])
        for node in (leaf for pair in pairs for part in pair for leaf in part.leaves):
            first = node.start
            if node.event.style in ("|", ">"):
                first = self._text.find("\n", first)
            for at in range(first, min(node.content_end(self._text), end)):
                masked[at - start] = "\n" if masked[at - start] == "\n" else "x"
        return [found[1].strip() for found in _COMMENT.finditer("".join(masked))]


def _line_start(text: str, position: int) -> int:
    return text.rfind("\n", 0, max(0, position)) + 1


def _next_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def _behind_comments(text: str, position: int, column: int) -> int:
    """Return where the comments end that belong to what is above: those indented deeper than its dash."""
    end = look = position
    while look < len(text):
        following = _next_line(text, look)
        line = text[look:following]
        if line.strip() and not (line.lstrip().startswith("#") and _indent(line) > column):
            break
        look = following
        end = look if line.strip() else end
    return end


def _has_blank_above(text: str, start: int) -> bool:
    while start:
        above = _line_start(text, start - 1)
        line = text[above:start].strip()
        if not line.startswith("#"):
            return not line
        start = above
    return False


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _comment_lines(text: str, column: int) -> list[str]:
    return [f"{' ' * column}# {line}".rstrip() for line in text.split("\n")] if text else []


def _as_text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
