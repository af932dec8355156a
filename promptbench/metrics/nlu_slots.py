"""Compare slots: named spans of an utterance.

A span is right if its slot and both its ends are: the measure of the shared task of CoNLL-2000 (Tjong Kim Sang and
Buchholz 2000, W00-0726, `conlleval`), micro-averaged over all spans. Without offsets a span is identified by
its slot and its text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from promptbench.core.types import Json

_KEYS = {"slot", "value", "start", "end"}


@dataclass(frozen=True, slots=True)
class Span:
    """A slot with its value. `start` and `end` are offsets in characters, end excluded, or None if unknown."""

    slot: str
    value: str | None
    start: int | None = None
    end: int | None = None

    @property
    def has_offsets(self) -> bool:
        return self.start is not None and self.end is not None


@dataclass(frozen=True, slots=True)
class SpanComparison:
    """The spans that are right, missing, and unexpected."""

    right: Sequence[Span]
    missing: Sequence[Span]
    extra: Sequence[Span]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Return how many are right, how many the answer has, how many are expected."""
        right = len(self.right)
        return right, right + len(self.extra), right + len(self.missing)


def spans(value: Json) -> list[Span]:
    """Return the spans of `{slot: value}`, or of a list of objects with `slot` and `value`, or `start` and `end`.

    A value may be a list of values; null means no span. Raises ValueError.
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
        raise ValueError("an item of the list of slots is not an object with a 'slot'")
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


def compare(expected: Sequence[Span], said: Sequence[Span]) -> SpanComparison:
    """Match each expected span with at most one. Offsets decide if all spans have them, else the texts."""
    placed = all(span.has_offsets for span in (*expected, *said))

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
    return SpanComparison(right, missing[::-1], extra)


def f1(right: float, said: float, expected: float) -> float:
    """Return the F1 of one utterance or of many; 1 if nothing is expected and there is nothing."""
    return 2 * right / (said + expected) if said + expected else 1.0


def counted(spans_of: Iterable[Span]) -> Counter[str]:
    """Return the number of spans of each slot."""
    return Counter(span.slot for span in spans_of)
