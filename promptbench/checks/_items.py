"""The items of an answer: those of a JSON list, or of a text with one a line, or separated by commas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from promptbench.checks import _normal, _options
from promptbench.checks._graded import some
from promptbench.checks._normal import Normal
from promptbench.checks._paths import Path, optional, text_at, value_at
from promptbench.checks._words import quoted
from promptbench.core.protocols import Subject
from promptbench.core.types import Json
from promptbench.formats import json_text

KNOWN = ("is", "at", "ignore", "at least")
_LIST: Json = {"type": "array"}
SCHEMA: Json = {
    "anyOf": [
        _LIST,
        {
            "type": "object",
            "properties": {
                "is": _LIST,
                "at": {"type": ["string", "integer"]},
                "ignore": _normal.SCHEMA,
                "at least": {"type": ["number", "string"]},
            },
            "required": ["is"],
        },
    ]
}
_BULLET = re.compile(r"(?:[-*•–]|[0-9]{1,4}[.)])\s+")

Key = tuple[str, Json]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list or a set is compared with; `at_least` is the share that has to be right."""

    items: tuple[Json, ...]
    path: Path | None
    normal: Normal
    at_least: float

    def found(self, subject: Subject) -> tuple[list[Json], bool, str | None]:
        """The answer's items, whether they are pieces of a text, and why there are none."""
        if self.path is not None:
            value, problem = value_at(subject, self.path)
            if problem or isinstance(value, list):
                return value or [], False, problem
            return (_pieces(value), True, None) if isinstance(value, str) else ([value], False, None)
        text, problem = text_at(subject, None)
        if problem:
            return [], True, problem
        # Not `subject.read`: whoever answers in lines was not asked for JSON, and has no fault in the format.
        reading = json_text.read(text)
        value = reading.value if reading.rung.within(subject.accept) else None
        if isinstance(value, dict):
            return [], False, f"the answer is {quoted(value)}, not a list: 'at' says where in it the list is"
        return (value, False, None) if isinstance(value, list) else (_pieces(text), True, None)

    def match(self, got: Sequence[Json], *, as_text: bool) -> list[int | None]:
        """For each item of the answer the number of the wanted one that it is; each is taken once, the first first.

        In time linear in the number of items. A wanted number may be there as a number or as it is written.
        """
        waiting: dict[Key, list[int]] = {}
        for number, item in enumerate(got):
            waiting.setdefault(_key(self.normal.value(item)), []).append(number)
        for numbers in waiting.values():
            numbers.reverse()
        found: list[int | None] = [None] * len(got)
        # Texts choose before numbers, which can be there as either; and a number takes the text written like it first.
        for number in sorted(range(len(self.items)), key=lambda number: not isinstance(self.items[number], str)):
            for key in self._keys(self.items[number], as_text):
                if waiting.get(key):
                    found[waiting[key].pop()] = number
                    break
        return found

    def _keys(self, item: Json, as_text: bool) -> list[Key]:
        if isinstance(item, bool):
            return [("text", self.normal.text("true" if item else "false")) if as_text else _key(item)]
        if isinstance(item, (int, float)):
            return [("text", self.normal.text(str(item))), _key(item)]
        return [_key(self.normal.value(item))]

    def differences(self, got: Sequence[Json], matched: Sequence[int | None]) -> str:
        """What is missing and what is too much, in words; empty when nothing is."""
        there = set(matched)
        missing = Counter(quoted(item) for number, item in enumerate(self.items) if number not in there)
        extra = Counter(quoted(item) for item, number in zip(got, matched, strict=True) if number is None)
        parts = [f"missing {_counted(missing)}"] if missing else []
        return "; ".join(parts + ([f"not wanted {_counted(extra)}"] if extra else []))


def wanted(argument: Json, what: str) -> Wanted:
    """From a list, or from options. Raises ValueError."""
    given = _options.value_or_options(argument, "is", KNOWN)
    items = given.get("is")
    if not isinstance(items, list):
        raise ValueError(f"give a list, as in '{what}: [red, green]'")
    at_least = _options.share(given["at least"], "at least") if "at least" in given else 1.0
    return Wanted(tuple(items), optional(given.get("at")), _normal.normal(given.get("ignore")), at_least)


def f1(hits: int, got: int, wanted: int) -> float:
    """The harmonic mean of hits/got and hits/wanted; two empty lists are equal."""
    return 2 * hits / (got + wanted) if got + wanted else 1.0


def _pieces(text: str) -> list[Json]:
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    if len(lines) == 1 and not _BULLET.match(lines[0]):
        lines = [piece.strip() for piece in lines[0].split("," if "," in lines[0] else ";")]
    return [_BULLET.sub("", line, count=1) if _BULLET.match(line) else line for line in lines if line]


def _key(value: Json) -> Key:
    """Equal for what the author of a YAML file calls equal: 1 and 1.0, but not 1 and true, nor 1 and "1"."""
    if isinstance(value, dict):
        return "object", frozenset((name, _key(item)) for name, item in value.items())
    if isinstance(value, list):
        return "list", tuple(_key(item) for item in value)
    kind = "boolean" if isinstance(value, bool) else "number" if isinstance(value, (int, float)) else "text"
    return ("null", None) if value is None else (kind, value)


def _counted(items: Counter[str]) -> str:
    return some([name if count == 1 else f"{count} × {name}" for name, count in items.items()])
