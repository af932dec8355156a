"""Mends a suite file where its mistakes have one reading: a mend is taken only with the proof that it is one.

Each step is tried on the text. It must let the parser get further or leave fewer mistakes, what could be read before
must read the same, and where a slip can be mended in several ways one of them must be better than all others.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from promptbench.core.diagnostics import Code, Diagnostic, Diagnostics, Severity
from promptbench.formats.readable import Leaf, readable
from promptbench.formats.source import Source
from promptbench.formats.yaml_slips import Edit, applied, gives_up_at, moved, slips

_MOST_STEPS = 200
_MOST_READINGS = 24

Look = Callable[[str], Diagnostics]
"""All that is wrong with a text as the suite's file."""


@dataclass(frozen=True, slots=True)
class Mend:
    """One thing that was mended: the line, counted from 1, and what was wrong there."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Mended:
    """A text with what was mended in it, which may be nothing; the problems that are left are `left`."""

    text: str
    mends: tuple[Mend, ...]
    left: Diagnostics


@dataclass(frozen=True, slots=True)
class _State:
    """A text on the way, and what was mended in it so far."""

    text: str
    mends: tuple[Mend, ...] = ()
    moved: frozenset[int] = frozenset()
    """The lines, counted from 1, that only stand at another column."""

    def after(self, edits: Sequence[Edit], mend: Mend, misread: tuple[int, int] | None = None) -> _State | None:
        """With more edits; None where they would change what could be read, apart from what was `misread`."""
        text = applied(self.text, edits)
        if text == self.text or not reads_the_same(self.text, text, edits, misread):
            return None
        return replace(self, text=text, mends=(*self.mends, mend))

    def line(self, start: int) -> int:
        return self.text.count("\n", 0, start) + 1


def mended(text: str, look: Look) -> Mended:
    """The text, with LF, mended as far as that has one reading; as it is where nothing has."""
    before = look(text)
    best = _one_of(_parsing(_State(text), gives_up_at(text)), look)
    if best is None:
        return Mended(text, (), before)
    state, left = _step_by_step(best, look)
    better = gives_up_at(text) is not None or _weight(left) < _weight(before)
    return Mended(state.text, state.mends, left) if state.mends and better else Mended(text, (), before)


def _weight(found: Diagnostics) -> tuple[int, int]:
    return len(set(found.errors)), len(set(found.warnings))


def _one_of(states: Iterable[_State], look: Look) -> _State | None:
    """The best of all readings; None where there is none, or two that mean something else are as good."""
    weighed: dict[str, tuple[tuple[int, int], list[tuple[object, ...]], _State]] = {}
    shortest: dict[str, _State] = {}
    for state in states:
        known = shortest.setdefault(state.text, state)
        shortest[state.text] = min(known, state, key=lambda item: len(item.mends))
    for state in shortest.values():
        found = look(state.text)
        if not any(item.code in _MISPLACED and item.location.line in state.moved for item in found.errors):
            weighed[state.text] = _weight(found), _meaning(state.text), state
    if not weighed:
        return None
    least = min(weight for weight, _, _ in weighed.values())
    best = [(meaning, state) for weight, meaning, state in weighed.values() if weight == least]
    same = all(meaning == best[0][0] for meaning, _ in best)
    return min((state for _, state in best), key=lambda state: len(state.mends)) if same else None


_MISPLACED = (Code.UNKNOWN_KEY, Code.MISSING_KEY, Code.WRONG_TYPE, Code.DUPLICATE_KEY)
"""What is said of a line that was moved to where it does not belong."""


def _meaning(text: str) -> list[tuple[object, ...]]:
    return [(leaf.value, leaf.quoted, *(step.name for step in leaf.above)) for leaf in readable(text)]


def _parsing(state: _State, stop: tuple[int, int] | None, depth: int = 0) -> Iterator[_State]:
    """The ways in which a text can be mended until it parses, each step by the first slip that explains the place."""
    if stop is None:
        yield state
        return
    if depth >= _MOST_STEPS:
        return
    count = 0
    for following, reached in _steps(state, stop):
        for reading in _parsing(following, reached, depth + 1):
            yield reading
            count += 1
            if count >= _MOST_READINGS:
                return


def _steps(state: _State, stop: tuple[int, int]) -> list[tuple[_State, tuple[int, int] | None]]:
    """The mends of the slip at which a parser gives up: one, or several where it can be mended in more ways.

    Of these, those that let the parser get furthest: what takes further mends is the less likely reading.
    """
    taken: tuple[int, str] | None = None
    found: list[tuple[_State, tuple[int, int] | None]] = []
    for slip in slips(state.text, stop[0]):
        if taken is not None and (slip.start, slip.message) != taken:
            break
        reached = gives_up_at(applied(state.text, slip.edits)) if slip.edits else stop
        further = reached is None or reached[0] > stop[0] or _is_on(reached, stop, slip.edits)
        if slip.edits and not further:
            continue
        if not slip.sure:
            break
        taken = slip.start, slip.message
        following = state.after(slip.edits, Mend(state.line(slip.start), slip.message))
        if following is not None and slip.moves:
            lines = {state.line(edit.start) for edit in slip.edits}
            if lines & state.moved:
                continue  # what has to be moved twice was moved to the wrong place
            following = replace(following, moved=state.moved | lines)
        if following is not None:
            found.append((following, reached))
    furthest = max((_line_of(reached) for _, reached in found), default=0)
    return [(following, reached) for following, reached in found if _line_of(reached) == furthest]


def _line_of(reached: tuple[int, int] | None) -> float:
    """The line at which a parser gives up; behind the last one where it does not."""
    return inf if reached is None else reached[0]


def _is_on(reached: tuple[int, int], stop: tuple[int, int], edits: Sequence[Edit]) -> bool:
    """Whether a parser gets further on the same line, by more than the edits make it longer."""
    longer = sum(max(0, len(edit.text) - (edit.end - edit.start)) for edit in edits)
    return reached[0] == stop[0] and reached[1] > stop[1] + longer


def _step_by_step(state: _State, look: Look) -> tuple[_State, Diagnostics]:
    """Mends what the diagnostics of a text that parses have a mend for, one after the other."""
    found = look(state.text)
    for _ in range(_MOST_STEPS):
        weight = _weight(found)
        for edits, item in _offered(state.text, found):
            start = edits[0].start
            end = state.text.find("\n", start)
            # Behind a name that is none its value may be wrong too.
            misread = (start, end if end >= 0 else len(state.text)) if item.code is Code.UNKNOWN_KEY else None
            following = state.after(edits, Mend(state.line(start), item.message), misread)
            left = look(following.text) if following else None
            if following and left is not None and gives_up_at(following.text) is None and _is_less(left, weight):
                state, found = following, left
                break
        else:
            return state, found
    return state, found


def _is_less(found: Diagnostics, before: tuple[int, int]) -> bool:
    errors, warnings = _weight(found)
    return errors < before[0] and warnings <= before[1]


def _offered(text: str, found: Diagnostics) -> Iterator[tuple[list[Edit], Diagnostic]]:
    source = Source("", text)
    for item in dict.fromkeys(found):
        location = item.location
        if item.severity is not Severity.ERROR or not 0 < location.line <= len(source.lines):
            continue
        if location.text != source.lines[location.line - 1]:
            continue  # it is about another file
        start = source.starts[location.line - 1] + location.column - 1
        if item.mend is not None:
            yield [Edit(start, start + location.length, item.mend)], item
        elif item.code is Code.MISSING_KEY and location.text.rstrip().endswith(":"):
            edits = _further_in(source, location.line)
            if edits:
                yield edits, item


def _further_in(source: Source, number: int) -> list[Edit]:
    """The lines below `name:` that start where it starts, two spaces further in, as far as they have no dash."""
    above = source.lines[number - 1]
    column = len(above) - len(above.lstrip(" -"))
    edits: list[Edit] = []
    for line in range(number, len(source.lines)):
        text = source.lines[line]
        if text.strip() and (len(text) - len(text.lstrip(" ")) != column or text.lstrip().startswith("-")):
            break
        edits += moved(source.lines, line, source.starts[line], 2) if text.strip() else []
        if len(edits) == 1:
            break
    return edits


def reads_the_same(before: str, after: str, edits: Sequence[Edit], misread: tuple[int, int] | None = None) -> bool:
    """Whether all that could be read is still there, apart from what the edits touch and what was `misread`.

    A text keeps its value and its line. The names above it stay too, down to the first that an edit touches or moves.
    """
    changed = _Changed(before, edits)
    now: dict[tuple[int, str, bool], list[Leaf]] = {}
    for leaf in readable(after):
        now.setdefault((leaf.line, leaf.value, leaf.quoted), []).append(leaf)
    for leaf in readable(before):
        blank = leaf.start == leaf.end
        inside = misread is not None and misread[0] <= leaf.start <= misread[1]
        if blank or inside or changed.touch(leaf.start, leaf.end):
            continue
        same = now.get((leaf.line, leaf.value, leaf.quoted), [])
        if not any(_same_above(leaf, other, changed) for other in same):
            return False
    return True


class _Changed:
    """What edits change in a text."""

    def __init__(self, text: str, edits: Sequence[Edit]) -> None:
        ordered = sorted(edits, key=lambda edit: edit.start)
        self._starts = [edit.start for edit in ordered]
        self._ends = [edit.end for edit in ordered]
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self.lines = {self.line(start) for start in self._starts}

    def line(self, offset: int) -> int:
        """The line of an offset, counted from 0."""
        return bisect_right(self._lines, offset) - 1

    def touch(self, start: int, end: int) -> bool:
        """Whether an edit changes what stands from `start` to `end`, or what touches it."""
        index = bisect_left(self._ends, start)
        return index < len(self._starts) and self._starts[index] <= end


def _same_above(leaf: Leaf, other: Leaf, changed: _Changed) -> bool:
    if leaf.line in changed.lines:
        return True
    for index, step in enumerate(leaf.above):
        known = step.start >= 0
        if known and (changed.touch(step.start, step.end) or changed.line(step.start) in changed.lines):
            return True
        if index >= len(other.above) or other.above[index].name != step.name:
            return False
    return len(other.above) == len(leaf.above)
