"""Where in a JSON answer a value stands: `order.items[0].sku`.

A step is a field's name, `[0]` or `.0` an item counted from 0, `[-1]` the last item, `[*]` every item: then what is
found is a list. A name with a dot, a bracket or a space at its end stands in brackets and quotes: `prices['1.5 kg']`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from promptbench.checks._words import quoted, readable
from promptbench.core.protocols import Subject
from promptbench.core.types import Json
from promptbench.formats.limits import DEFAULT_LIMITS

_STEP = re.compile(
    r"""(?P<dot>\.)?(?:\[\s*+(?P<index>-?[0-9]{1,9})\s*+\]|\[(?P<every>\*)\]"""
    r"""|\[(?P<quote>["'])(?P<key>.*?)(?P=quote)\]|(?P<name>[^.\[\]]+))""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Path:
    """`written` is the path as its author wrote it."""

    written: str
    steps: tuple[str | int | None, ...]
    """A field's name, an index, or None for every item."""

    def find(self, value: Json) -> Json:
        """The value at this path. Raises LookupError with what is missing, in words."""
        return _find(value, self.steps, 0)


def _find(value: Json, steps: tuple[str | int | None, ...], at: int) -> Json:
    for number in range(at, len(steps)):
        step = steps[number]
        if step is None:
            if not isinstance(value, list):
                raise LookupError(f"{_shown(steps[:number])} is {quoted(value)}, not a list")
            return _flat([_find(item, steps, number + 1) for item in value], steps[number + 1 :])
        found, value = _child(value, step)
        if not found:
            raise LookupError(f"{_shown(steps[: number + 1])} is missing")
    return value


def _flat(found: list[Json], rest: tuple[str | int | None, ...]) -> list[Json]:
    return [item for items in found for item in items] if None in rest else found


def _child(value: Json, step: str | int) -> tuple[bool, Json]:
    if isinstance(value, dict):
        return (True, value[str(step)]) if str(step) in value else (False, None)
    if not isinstance(value, list):
        return False, None
    if isinstance(step, str):
        if not (step.isascii() and step.isdigit() and len(step) < 10):
            return False, None
        step = int(step)
    return (True, value[step]) if -len(value) <= step < len(value) else (False, None)


def _shown(steps: tuple[str | int | None, ...]) -> str:
    parts = [f"[{'*' if step is None else step}]" if not isinstance(step, str) else f".{step}" for step in steps]
    return "".join(parts).removeprefix(".") or "the answer"


def parse(written: Json) -> Path:
    """Raises ValueError when it is no path."""
    text = str(written).strip() if isinstance(written, (str, int)) and not isinstance(written, bool) else ""
    steps: list[str | int | None] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        # A dot stands before every name but the first.
        if found is None or (found["name"] and bool(found["dot"]) != bool(steps)):
            raise ValueError(f"{quoted(text)} is not a path: write it as order.items[0].sku")
        steps.append(_step(found))
        position = found.end()
    if not steps:
        raise ValueError("'at' must be the name of a field, or a path such as order.items[0].sku")
    return Path(text, tuple(steps))


def _step(found: re.Match[str]) -> str | int | None:
    if found["index"] is not None:
        return int(found["index"])
    if found["every"]:
        return None
    return found["key"] if found["key"] is not None else found["name"].strip()


def optional(written: Json) -> Path | None:
    """The option `at`, where there is one. Raises ValueError."""
    return None if written is None else parse(written)


def value_at(subject: Subject, path: Path) -> tuple[Json, str | None]:
    """The value at `path` of the answer read as JSON, and why there is none."""
    reading, problem = readable(subject)
    if problem:
        return None, problem
    try:
        return path.find(reading.value), None
    except LookupError as error:
        return None, str(error.args[0])


def text_at(subject: Subject, path: Path | None) -> tuple[str, str | None]:
    """The answer's text, or the text or number at a path in it, and why there is none.

    A text longer than what is read as JSON is not looked into.
    """
    if path is None:
        if len(subject.text) > DEFAULT_LIMITS.characters:
            return "", f"the answer is too long: more than {DEFAULT_LIMITS.characters:,} characters"
        return subject.text.strip(), None
    value, problem = value_at(subject, path)
    if problem:
        return "", problem
    if isinstance(value, (dict, list)):
        return "", f"{path.written} is {quoted(value)}, not a text"
    if isinstance(value, str):
        return value.strip(), None
    return quoted(value) if value is None or isinstance(value, bool) else str(value), None
