"""The scalars of a YAML text up to its first syntax error, to compare a text before and after a change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Step:
    """A key above a scalar, with its offsets in characters; an entry of a list has no offsets."""

    name: str
    start: int = -1
    end: int = -1


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar: line, offsets in characters, value, and the keys above it.

    `quoted` distinguishes '12' from 12. A change that keeps the lines does not change `line`.
    """

    line: int
    start: int
    end: int
    value: str
    quoted: bool
    above: tuple[Step, ...]


def readable(text: str) -> list[Leaf]:
    """Return the scalars of a text, in order, up to the first syntax error."""
    found: list[Leaf] = []
    try:
        _collect(yaml.parse(text, Loader=_Loader), found)
    except yaml.YAMLError as error:
        # A scalar that ends on the line of the error may have been parsed wrongly.
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        stop = mark.index - mark.column if mark else 0
        return [leaf for leaf in found if leaf.end < stop]
    return found


_LIST = Step("[]")


def _collect(events: Iterator[Any], found: list[Leaf]) -> None:
    """Collect the scalars of `events` with a stack of open mappings (the key without a value yet) and lists."""
    open_steps: list[Step | None] = []
    kinds: list[bool] = []  # whether what is open is a mapping
    for event in events:
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            open_steps.pop()
            kinds.pop()
        is_key = bool(kinds) and kinds[-1] and open_steps[-1] is None
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            if is_key:
                open_steps[-1] = Step("{}", *_span(event))
                is_key = False
            open_steps.append(None if is_mapping else _LIST)
            kinds.append(is_mapping)
        elif isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)):
            value = f"*{event.anchor}" if isinstance(event, yaml.AliasEvent) else str(event.value)
            start, end = _span(event)
            if is_key:
                open_steps[-1] = Step(value, start, end)
                continue
            style = getattr(event, "style", None)
            above = tuple(step for step in open_steps if step is not None)
            found.append(Leaf(_line(event), start, end, value, bool(style), above))
            if kinds and kinds[-1]:
                open_steps[-1] = None
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)) and kinds and kinds[-1]:
            # The collection that ended was the value of a key.
            open_steps[-1] = None


def _span(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


def _line(event: Any) -> int:
    return int(event.start_mark.line)
