"""What can be read of a YAML text, up to where a parser gives up: to compare it before and after a change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Step:
    """A name above a text: where it stands, in characters; of an entry of a list only that it is one."""

    name: str
    start: int = -1
    end: int = -1


@dataclass(frozen=True, slots=True)
class Leaf:
    """A text, number or word in the file: where it stands, what it says, and the names above it.

    `quoted` tells '12' from 12. A change that keeps the lines leaves `line` as it is.
    """

    line: int
    start: int
    end: int
    value: str
    quoted: bool
    above: tuple[Step, ...]


def readable(text: str) -> list[Leaf]:
    """The leaves of a text, in order, as far as a parser gets."""
    found: list[Leaf] = []
    try:
        _collect(yaml.parse(text, Loader=_Loader), found)
    except yaml.YAMLError as error:
        # What ends on the line where the parser gives up was not read as it was meant.
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        stop = mark.index - mark.column if mark else 0
        return [leaf for leaf in found if leaf.end < stop]
    return found


_LIST = Step("[]")


def _collect(events: Iterator[Any], found: list[Leaf]) -> None:
    """Walks through the events with a stack of what is open: a name that waits for its value, or a list."""
    open_steps: list[Step | None] = []
    kinds: list[bool] = []  # whether what is open is a mapping
    for event in events:
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            open_steps.pop()
            kinds.pop()
        waits = bool(kinds) and kinds[-1] and open_steps[-1] is None
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            if waits:
                open_steps[-1] = Step("{}", *_span(event))
                waits = False
            open_steps.append(None if is_mapping else _LIST)
            kinds.append(is_mapping)
        elif isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)):
            value = f"*{event.anchor}" if isinstance(event, yaml.AliasEvent) else str(event.value)
            start, end = _span(event)
            if waits:
                open_steps[-1] = Step(value, start, end)
                continue
            style = getattr(event, "style", None)
            above = tuple(step for step in open_steps if step is not None)
            found.append(Leaf(_line(event), start, end, value, bool(style), above))
            if kinds and kinds[-1]:
                open_steps[-1] = None
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)) and kinds and kinds[-1]:
            # What ended was the value of a name.
            open_steps[-1] = None


def _span(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


def _line(event: Any) -> int:
    return int(event.start_mark.line)
