"""Slots: named spans of an utterance, compared strictly. Pure functions.

A span is right when its slot and both its ends are: the measure of the shared task of CoNLL-2000 (Tjong Kim Sang and
Buchholz 2000, W00-0726, `conlleval`), micro-averaged over all spans. Where no offsets are known a span is told by its
slot and its text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from promptbench.core.types import Json

_KEYS = {"slot", "value", "start", "end"}


@dataclass(frozen=True, slots=True)
class Span:
    """A slot with its value. `start` and `end` are offsets in characters, the end excluded; None is unknown."""

    slot: str
    value: str | None
    start: int | None = None
    end: int | None = None

    @property
    def has_place(self) -> bool:
        return self.start is not None and self.end is not None


@dataclass(frozen=True, slots=True)
class Compared:
    """What of the spans is right, what is missing, and what is too much."""

    right: Sequence[Span]
    missing: Sequence[Span]
    extra: Sequence[Span]

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many are right, how many were said, how many are expected."""
        right = len(self.right)
        return right, right + len(self.extra), right + len(self.missing)


def spans(value: Json) -> list[Span]:
    """The spans of `{slot: value}`, where a value may be a list of them and null is no span, or of a list of objects
    with `slot` and `value`, or `start` and `end`. Null is none at all. Raises ValueError.
    """
    if value is None:
        return []
    if isinstance(value, dict):
        return [
            Span(str(slot), _text(item))
            for slot, items in value.items()
            for item in (items if isinstance(items, list) else [items])
            if item is not None
        ]
    if isinstance(value, list):
        return [_span(item) for item in value]
    raise ValueError("slots are written as {slot: value}, or as a list of {slot: …, value: …, start: …, end: …}")


def _span(item: Json) -> Span:
    if not isinstance(item, dict) or not isinstance(item.get("slot"), str):
        raise ValueError("an item of the list of slots is no object with a 'slot'")
    start, end = (item.get(name) for name in ("start", "end"))
    placed = all(isinstance(number, int) and not isinstance(number, bool) for number in (start, end))
    if not placed and item.get("value") is None:
        raise ValueError(f"the slot '{item['slot'][:50]}' has neither a value nor whole numbers as start and end")
    value = None if item.get("value") is None else _text(item["value"])
    return Span(item["slot"], value, start, end) if placed else Span(item["slot"], value)


def _text(value: Json) -> str:
    if isinstance(value, (dict, list)):
        raise ValueError("the value of a slot is a text or a number, or a list of them")
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def compare(expected: Sequence[Span], said: Sequence[Span]) -> Compared:
    """Each expected span is met by one span at most. Offsets decide where all spans have them, else the texts."""
    placed = all(span.has_place for span in (*expected, *said))

    def key(span: Span) -> tuple[Json, ...]:
        return (span.slot, span.start, span.end) if placed else (span.slot, span.value)

    left = Counter(map(key, expected))
    right, extra = [], []
    for span in said:
        if left[key(span)] > 0:
            left[key(span)] -= 1
            right.append(span)
        else:
            extra.append(span)
    missing = []
    for span in reversed(expected):
        if left[key(span)] > 0:
            left[key(span)] -= 1
            missing.append(span)
    return Compared(right, missing[::-1], extra)


def f1(right: float, said: float, expected: float) -> float:
    """The F1 of one utterance or of many; 1 where nothing is expected and nothing said."""
    return 2 * right / (said + expected) if said + expected else 1.0


def counted(spans_of: Iterable[Span]) -> Counter[str]:
    """How many spans of each slot there are."""
    return Counter(span.slot for span in spans_of)
