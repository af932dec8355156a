"""Building blocks for recognising common YAML mistakes: an edit, a candidate mistake, and one line of the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

import yaml

from promptbench.core.diagnostics import Code

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The quotation marks of word processors, each with the marks that may close it.
CURLY = {"“": "”", "„": "“”", "”": "”", "‘": "’", "‚": "‘’", "«": "»", "»": "«"}
DELETE = "delete it"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters from `start` to `end` with `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Slip:
    """A possible mistake: where it is, what to report, and the edits that would correct it.

    The edits are only tried, to learn whether the parser then gets further; nothing is written.
    """

    start: int
    length: int
    message: str
    hint: str
    edits: tuple[Edit, ...] = ()
    code: Code = Code.YAML_SYNTAX


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with the edits applied; they must not overlap."""
    parts, position = [], 0
    for edit in sorted(edits, key=lambda item: item.start):
        parts += [text[position : edit.start], edit.text]
        position = edit.end
    return "".join([*parts, text[position:]])


def error_position(text: str) -> tuple[int, int] | None:
    """Return the line and column, from 0, at which the YAML parser fails; None if it reads the whole text."""
    try:
        yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        return (mark.line, mark.column) if mark else (0, 0)
    return None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text. `starts` are the offsets of all lines, `number` counts from 0."""

    whole: str
    lines: list[str]
    starts: list[int]
    number: int

    @property
    def start(self) -> int:
        return self.starts[self.number]

    @property
    def text(self) -> str:
        return self.lines[self.number]

    @property
    def below(self) -> str:
        return self.lines[self.number + 1] if self.number + 1 < len(self.lines) else ""

    def at(self, column: int, length: int, message: str, hint: str, *edits: Edit) -> Slip:
        return Slip(self.start + column, length, message, hint, edits)

    def edit(self, start: int, end: int, text: str) -> Edit:
        """Return an edit between two columns of this line."""
        return Edit(self.start + start, self.start + end, text)


Found: TypeAlias = Slip | Iterable[Slip] | None
NAME = r"[^\W\d_][\w .-]*?"
NAMED = re.compile(rf"(?P<before> *(?:- +)*)(?P<name>{NAME}|'[^']*'|\"[^\"]*\"): +(?P<value>\S.*?) *\Z")
# A line with a name or a dash of its own, which therefore does not continue the text above it.
NAMES = re.compile(rf" *(?:- |{NAME}:(?: |\Z))")
LISTED = re.compile(r"(?P<before> *- +)(?P<value>\S.*?) *\Z")


def line_starts(lines: list[str]) -> list[int]:
    return [0, *accumulate(len(line) + 1 for line in lines)][:-1]


def indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def in_curly(text: str) -> str | None:
    """Return the text inside word-processor quotation marks; None if they do not enclose all of it."""
    inside = text[1:-1]
    if len(text) < 3 or text[0] not in CURLY or text[-1] not in CURLY[text[0]]:
        return None
    return None if any(mark in inside for mark in "“”„«»") else inside


def quote(text: str) -> str:
    """Return a one-line text in YAML quotes, preferring those that need no escapes."""
    if "'" in text and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def shift_lines(lines: list[str], number: int, start: int, by: int) -> list[Edit]:
    """Return the edits that shift line `number`, which begins at offset `start`, and everything nested below it."""
    here = indent(lines[number])
    edits: list[Edit] = []
    for text in lines[number:]:
        if edits and text.strip() and indent(text) <= here:
            break
        if text.strip():
            edits.append(Edit(start, start - by, "") if by < 0 else Edit(start, start, " " * by))
        start += len(text) + 1
    return edits
