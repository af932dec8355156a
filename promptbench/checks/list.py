"""list: the answer lists these items, in this order.

What: compares the items of the answer with the list, one by one. The items are those of a JSON list, or the lines of a
    text without bullets and numbers, or what commas separate. The score is the F1 over the items that are in order.
When: a ranking, steps or a sequence.
Options: a list, or: `is` the list; `at` its path in a JSON answer, as in order.items[*].sku; `ignore` what does not
    count: case, white space, punctuation, accents, unicode; `at least` the score that is enough, such as 80%.
Example:
    checks: [{list: [open the lid, press start, wait]}]
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from promptbench.checks import _normal, _options
from promptbench.checks._normal import Normal
from promptbench.checks._paths import Path, optional, text_at, value_at
from promptbench.checks._scores import first_of, graded, mismatch, quoted, verdict
from promptbench.parsing import json_text
from promptbench.plugins import CheckContext, CheckSpec, Json, Score, Subject

_LIST: Json = {"type": "array"}
SCHEMA = _options.schema(
    _LIST, required=["is"], **{"is": _LIST, "at": _options.PATH, "ignore": _normal.SCHEMA, "at_least": _options.AMOUNT}
)
_BULLET = re.compile(r"(?:[-*•–]|[0-9]{1,4}[.)])\s+")

Key = tuple[str, Json]


@dataclass(frozen=True, slots=True)
class Items:
    """The check `list`, or `set` if the order does not count. `at_least` is the F1 that is enough."""

    name: str
    ordered: bool
    items: tuple[Json, ...]
    path: Path | None
    normal: Normal
    at_least: float

    def score(self, subject: Subject) -> Score:
        got, as_text, problem = self._found(subject)
        if problem:
            return verdict(self.name, problem)
        matched = self._match(got, as_text=as_text)
        hits = _in_order(matched) if self.ordered else len(got) - matched.count(None)
        # Two empty lists are equal.
        return graded(
            self.name,
            2 * hits / (len(got) + len(self.items)) if got or self.items else 1.0,
            self.at_least,
            self._differences(got, matched),
        )

    def _found(self, subject: Subject) -> tuple[list[Json], bool, str | None]:
        if self.path is not None:
            value, problem = value_at(subject, self.path)
            if problem or isinstance(value, list):
                return value or [], False, problem
            return (_pieces(value), True, None) if isinstance(value, str) else ([value], False, None)
        text, problem = text_at(subject, None)
        if problem:
            return [], True, problem
        # Not `subject.read`: an answer in lines was not meant to be JSON, and its format is not at fault.
        reading = json_text.read(text)
        value = reading.value if reading.rung.within(subject.accept) else None
        if isinstance(value, dict):
            return [], False, f"{mismatch('', 'a list', quoted(value))}: 'at' says where in it the list is"
        return (value, False, None) if isinstance(value, list) else (_pieces(text), True, None)

    def _match(self, got: Sequence[Json], *, as_text: bool) -> list[int | None]:
        # Return for each item of the answer the number of the expected one that it is; each is used once.
        #
        # Takes time linear in the number of items. An expected number matches as a number or as it is written.
        waiting: dict[Key, list[int]] = {}
        for number, item in enumerate(got):
            waiting.setdefault(_key(self.normal.value(item)), []).append(number)
        for numbers in waiting.values():
            numbers.reverse()
        found: list[int | None] = [None] * len(got)
        # Texts choose before numbers, which match either form. A number takes the text that is written like it first.
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

    def _differences(self, got: Sequence[Json], matched: Sequence[int | None]) -> str:
        there = set(matched)
        missing = Counter(quoted(item) for number, item in enumerate(self.items) if number not in there)
        extra = Counter(quoted(item) for item, number in zip(got, matched, strict=True) if number is None)
        parts = [f"{word} {_counted(items)}" for word, items in (("missing", missing), ("unexpected", extra)) if items]
        if parts or not self.ordered:
            return "; ".join(parts)
        first = next((place for place, number in enumerate(matched) if number != place), 0)
        actual, wanted = (quoted(items[first]) if items else "nothing" for items in (got, self.items))
        return f"wrong order: {mismatch(f'item {first + 1}', wanted, actual)}"


def build_items(argument: Json, name: str, *, ordered: bool) -> Items:
    """Return the check for a list, or for options. Raises ValueError."""
    given = _options.value_or_options(argument, "is", ("is", "at", "ignore", "at least"))
    items = given.get("is")
    if not isinstance(items, list):
        raise ValueError(f"give a list, as in '{name}: [red, green]'")
    normal = _normal.normal(given.get("ignore"))
    return Items(name, ordered, tuple(items), optional(given.get("at")), normal, _options.at_least(given))


def _in_order(matched: Sequence[int | None]) -> int:
    # Return the length of the longest increasing subsequence, by patience sorting in n log n.
    tails: list[int] = []
    for number in matched:
        if number is not None:
            at = bisect_left(tails, number)
            tails[at : at + 1] = [number]
    return len(tails)


def _pieces(text: str) -> list[Json]:
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    if len(lines) == 1 and not _BULLET.match(lines[0]):
        lines = [piece.strip() for piece in lines[0].split("," if "," in lines[0] else ";")]
    return [_BULLET.sub("", line, count=1) if _BULLET.match(line) else line for line in lines if line]


def _key(value: Json) -> Key:
    # Return a key that is equal for what YAML authors call equal: 1 and 1.0, but not 1 and true, nor 1 and "1".
    if isinstance(value, dict):
        return "object", frozenset((name, _key(item)) for name, item in value.items())
    if isinstance(value, list):
        return "list", tuple(_key(item) for item in value)
    kind = "boolean" if isinstance(value, bool) else "number" if isinstance(value, (int, float)) else "text"
    return ("null", None) if value is None else (kind, value)


def _counted(items: Counter[str]) -> str:
    return first_of([name if count == 1 else f"{count} × {name}" for name, count in items.items()])


def build(argument: Json, context: CheckContext) -> Items:
    return build_items(argument, "list", ordered=True)


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=SCHEMA)
