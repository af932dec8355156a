"""A slip in a text, the line that it is on, and the edit that mends it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from promptbench.core.diagnostics import Code

CURLY = {"“": "”", "„": "“”", "”": "”", "‘": "’", "‚": "‘’", "«": "»", "»": "«"}
"""The quotation marks of word processors, each with what closes it."""
DELETE = "delete it"


@dataclass(frozen=True, slots=True)
class Edit:
    """`text` in the place of what stands from `start` to `end`, in characters. It keeps the number of lines."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Slip:
    """A likely mistake at `start`. `sure` tells that its mend is the only thing that can have been meant."""

    start: int
    length: int
    message: str
    hint: str
    edits: tuple[Edit, ...] = ()
    sure: bool = False
    code: Code = Code.YAML_SYNTAX
    moves: bool = False
    """Whether it only stands at the wrong column, so that each column gives it another meaning."""


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits in it, which do not overlap."""
    parts, position = [], 0
    for edit in sorted(edits, key=lambda item: item.start):
        parts += [text[position : edit.start], edit.text]
        position = edit.end
    return "".join([*parts, text[position:]])


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text, among the others."""

    whole: str
    lines: list[str]
    starts: list[int]
    """Where each line of the text starts."""
    number: int

    @property
    def start(self) -> int:
        return self.starts[self.number]

    @property
    def text(self) -> str:
        return self.lines[self.number]

    @property
    def below(self) -> str:
        """The next line."""
        return self.lines[self.number + 1] if self.number + 1 < len(self.lines) else ""

    def at(self, column: int, length: int, message: str, hint: str, *edits: Edit, sure: bool = False) -> Slip:
        return Slip(self.start + column, length, message, hint, edits, sure)

    def edit(self, start: int, end: int, text: str) -> Edit:
        """An edit from one column to another."""
        return Edit(self.start + start, self.start + end, text)


Found: TypeAlias = Slip | Iterable[Slip] | None
NAME = r"[^\W\d_][\w .-]*?"
NAMED = re.compile(rf"(?P<before> *(?:- +)*)(?P<name>{NAME}|'[^']*'|\"[^\"]*\"): +(?P<value>\S.*?) *\Z")
NAMES = re.compile(rf" *(?:- |{NAME}:(?: |\Z))")
"""A line that has a name or starts an entry, and so is not the text of another one."""
LISTED = re.compile(r"(?P<before> *- +)(?P<value>\S.*?) *\Z")


def starts_of(lines: list[str]) -> list[int]:
    """Where the lines of a text start."""
    return [0, *accumulate(len(line) + 1 for line in lines)][:-1]


def indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def in_curly(text: str) -> str | None:
    """What stands inside of a word processor's quotation marks; None where they are not round all of a text."""
    inside = text[1:-1]
    if len(text) < 3 or text[0] not in CURLY or text[-1] not in CURLY[text[0]]:
        return None
    return None if any(mark in inside for mark in "“”„«»") else inside


def quoted(text: str) -> str:
    """A text of one line in quotation marks; in those that need nothing doubled, where there are such."""
    if "'" in text and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def moved(lines: list[str], number: int, start: int, by: int) -> list[Edit]:
    """The edits that move a line, which starts at `start`, and all below it that is further in."""
    here = indent(lines[number])
    edits: list[Edit] = []
    for text in lines[number:]:
        if edits and text.strip() and indent(text) <= here:
            break
        if text.strip():
            edits.append(Edit(start, start - by, "") if by < 0 else Edit(start, start, " " * by))
        start += len(text) + 1
    return edits
