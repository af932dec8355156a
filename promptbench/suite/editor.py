"""Edit the cases of a suite file that a person wrote: only the lines of what is different change.

YAML libraries that write a file anew keep comments and order, but set spaces, quotes and long lines as they like. Here
the positions of the cases come from the parser's nodes, and text is replaced in between. Every result is parsed again,
and refused unless it means exactly what it should.
"""

from __future__ import annotations

import codecs
import os
import re
import shutil
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import yaml

from promptbench.core.canonical import lf
from promptbench.core.errors import Diagnostics, EnvironmentFailure, InputError
from promptbench.core.types import Json
from promptbench.suite.file import field_name
from promptbench.suite.tables import as_json, is_same_data
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source
from promptbench.yaml.text import in_braces, item_lines, mapping_lines

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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

    def change(layout: _Layout, before: list[Any]) -> tuple[list[_Edit], list[Any]]:
        edits = [edit for index in sorted(changes) for edit in layout.items[index].edits(changes[index], before[index])]
        wanted = [changes.get(index, Change(case)) for index, case in enumerate(before)]
        # By position only, so that edits at the same position stay in the order of the cases.
        return sorted(edits, key=lambda edit: edit[:2]), [item.data for item in wanted if item]

    def extend(layout: _Layout, before: list[Any]) -> tuple[list[_Edit], list[Any]]:
        return [_addition(layout, added)], [*before, *(item.data for item in added)]

    raw = _rewrite(raw, shown, change, f"the cases of {shown} cannot be changed") if changes else raw
    return _rewrite(raw, shown, extend, f"no case can be added to {shown}") if added else raw


def edit_lines(raw: bytes, changes: Mapping[int, Change | None], added: Sequence[Change] = ()) -> bytes:
    """Return the bytes of a JSON Lines file of cases with some lines changed, by their index, and more added."""
    lines = [line for line in re.split(rb"(?<=\n)", raw) if line]
    end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    for index, change in changes.items():
        mark = codecs.BOM_UTF8 if index == 0 and raw.startswith(codecs.BOM_UTF8) else b""
        lines[index] = mark + (b"" if change is None else as_json(change.data).encode() + end)
    lines = [line for line in lines if line]
    if lines and added and not lines[-1].endswith(b"\n"):
        lines[-1] += end
    return b"".join([*lines, *(as_json(change.data).encode() + end for change in added)])


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


def _rewrite(
    raw: bytes, shown: str, edit: Callable[[_Layout, list[Any]], tuple[list[_Edit], list[Any]]], failure: str
) -> bytes:
    """Return the file with the edits for its layout and cases, which must result in the cases that `edit` returns."""
    encoding = "utf-8"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16-le" if raw.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
    written = raw.decode(encoding)
    mark = "\ufeff" * written.startswith("\ufeff")
    written = written[len(mark) :]
    text = lf(written)
    before = _parsed(text, shown) or {}
    key = next((key for key in before if field_name(key) == _CASES), _CASES)
    cases = before.get(key)
    try:
        edits, wanted = edit(_Layout(text), cases if isinstance(cases, list) else [])
    except (ValueError, IndexError) as error:
        raise InputError(f"{failure}: {error}", hint=_BY_HAND) from None
    # Nothing is written after the key of no cases.
    if not is_same_data(_parsed(_apply(text, edits), shown), {**before, key: wanted or None}):
        raise InputError(f"{failure}: the layout is too unusual", hint=_BY_HAND)
    # Where LF stands for two characters, later positions are shifted in the file.
    shifts = [match.start() - index for index, match in enumerate(re.finditer("\r\n", written))]
    end = match[0] if (match := _LINE_ENDS.search(written)) else "\n"
    moved = [
        (start + bisect_left(shifts, start), stop + bisect_left(shifts, stop), new.replace("\n", end))
        for start, stop, new in edits
    ]
    return (mark + _apply(written, moved)).encode(encoding)


def _parsed(text: str, shown: str) -> Any:
    document = parse(Source(shown, text), found := Diagnostics())
    return document.value if document and not found.errors else None


def _start(node: Any) -> int:
    return int(node.start_mark.index)


def _children(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    for child in _children(node):
        yield from _leaves(child)


def _content_end(node: Any, text: str) -> int:
    """Return where the written content ends; 0 if there is none. A block's own end mark is at the next token."""
    start, end = _start(node), int(node.end_mark.index)
    if isinstance(node, yaml.CollectionNode):
        return end if node.flow_style else max((_content_end(child, text) for child in _children(node)), default=0)
    if node.style in ("|", ">"):
        keeps = "+" in text[start : text.find("\n", start)].partition("#")[0]
        return end if keeps else len(text[:end].rstrip())
    return end if start != end else 0


class _Layout:
    """Where the cases of a suite file are: their key and value, and `items`, the entries of the list."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root = cast(Any, yaml.compose(text, Loader=_Loader))
        cases: list[tuple[Any, Any]] = [pair for pair in self.root.value if field_name(pair[0].value) == _CASES]
        self.key, self.value = (cases or [(None, None)])[-1]
        self.items: list[_Item] = []
        if isinstance(self.value, yaml.SequenceNode):
            behind = _next_line(text, self.key.end_mark.index)
            for node in self.value.value:
                self.items.append(_Item(text, node, behind, in_brackets=self.value.flow_style))
                behind = _next_line(text, max(0, _content_end(node, text) - 1))


def _addition(layout: _Layout, added: Sequence[Change]) -> _Edit:
    """Return the edit that adds cases behind those that are there. Raise ValueError if the layout does not allow it."""
    text, key, value = layout.text, layout.key, layout.value
    if layout.root.flow_style:
        raise ValueError("the whole suite is in braces")
    column = _start(layout.root) - _line_start(text, _start(layout.root))
    if value is None:
        position, lines, column, apart = layout.root.end_mark.index, ["", " " * column + f"{_CASES}:"], column + 2, True
    elif not isinstance(value, yaml.SequenceNode) and _start(value) == value.end_mark.index:
        position, lines, column, apart = _next_line(text, _start(key)), [], column + 2, True
    elif not isinstance(value, yaml.SequenceNode):
        raise ValueError(f"its cases are in {value.value}, and not in a list")
    elif value.flow_style:
        if any(item.comment for item in added):
            raise ValueError("a comment needs a line of its own")
        inside = ", ".join(in_braces(item.data) for item in added)
        last = layout.items[-1].node if layout.items else None
        position = _content_end(last, text) if last else text.index("[", _start(value)) + 1
        return position, position, f", {inside}" if last else inside
    else:
        last_item = layout.items[-1]
        if not last_item.own_line:
            raise ValueError("its last case does not start a line")
        end, column = _content_end(last_item.node, text), last_item.column
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

    def __init__(self, text: str, node: Any, behind: int, *, in_brackets: bool) -> None:
        self.node = node
        self.start = _start(node)
        self.line = _line_start(text, self.start)
        self.column = text[self.line : self.start].find("-")
        self.own_line = text[self.line : self.start].strip() == "-"
        self._text = text
        self._end = _next_line(text, max(0, _content_end(node, text) - 1))
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
            end = _behind_comments(self._text, self._end, self.column)
            blank = self._text[: self._top].endswith("\n\n") and self._text[end : end + 1] in ("", "\n")
            yield self._top - blank, end, ""
            return
        if change.comment is not None and change.comment != self.comment:
            yield self._top, self.line, _as_text(_comment_lines(change.comment, self.column))
        if is_same_data(before, dict(change.data)):
            return
        if not isinstance(self.node, yaml.MappingNode) or self.node.flow_style:
            yield self.start, self.node.end_mark.index, in_braces(change.data)
        elif self.node.value[0][0].value in change.data:
            yield from self._by_key(change.data, before)
        else:
            comments = self._comments(self.start, self._end, self.node.value)
            lines = [*self._above(comments), *item_lines(change.data, self.column)]
            yield self.line, self._end, _as_text(lines)

    def _by_key(self, data: Mapping[str, Json], before: Json) -> Iterator[_Edit]:
        """Yield the edits for the keys that are removed, changed and added; the lines of the others stay."""
        column = self.start - self.line
        last = self.line
        for index, (key, value) in enumerate(self.node.value):
            name = key.value
            start = self.start if index == 0 else _line_start(self._text, _start(key))
            end = max(_content_end(key, self._text), _content_end(value, self._text))
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

    def _comments(self, start: int, end: int, pairs: Sequence[tuple[Any, Any]]) -> list[str]:
        masked = list(self._text[start:end])
        for node in (leaf for pair in pairs for part in pair for leaf in _leaves(part)):
            first = self._text.find("\n", _start(node)) if node.style in ("|", ">") else _start(node)
            for at in range(max(first, start), min(_content_end(node, self._text), end)):
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
