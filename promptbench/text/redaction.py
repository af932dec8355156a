"""Takes personal data and secrets out of what is kept: each value is replaced by a placeholder of the same shape.

E-mail addresses, telephone numbers, payment cards, bank accounts, keys and tokens, and what a project's own patterns
say. The same value has the same placeholder everywhere in a project, so that two mentions of a person stay one
person, and a prompt that extracts an address still finds one. A placeholder is left as it is: redacting again changes
nothing. The time is linear in the text.
"""

from __future__ import annotations

import operator
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol, TypeVar

from promptbench.core.types import Json, LoggedCall, Message
from promptbench.text import _address_shapes, _number_shapes, _secret_shapes
from promptbench.text._own_patterns import OwnPattern
from promptbench.text._placeholders import Digests, SensitiveSpan

_Plain = TypeVar("_Plain")

_SHORTEST = 6
"""Nothing that is looked for is shorter."""
_SMALL = 10**6
"""A smaller number is no telephone."""
_NO_CARD = 10**12
"""Nor is a smaller one a payment card."""
_MOST_NAMES = 10_000
_MOST_PASSES = 8
_FIELDS = (
    "id", "answer", "model", "variables", "prompt", "prompt_version", "error", "finish_reason", "failed", "tags",
    "extra", "expected", "raw",
)  # fmt: skip


class _Kind(Protocol):
    """Texts of one kind. `suspicious` is quick, and True wherever `find` finds something."""

    def suspicious(self, text: str) -> bool: ...

    def find(self, text: str, digests: Digests) -> Iterator[SensitiveSpan]: ...


_BUILT_IN: tuple[_Kind, ...] = (_address_shapes, _secret_shapes, _number_shapes)


class Redactor:
    """Replaces, and counts by kind what it replaced.

    `key` is the project's secret, from which placeholders are derived. `patterns` are regular expressions by name; of
    one that has a group, the group is replaced. Raises ValueError for an expression that is none.

    All methods raise TimeoutError when a pattern of the project does not come to an end on a text.
    """

    def __init__(self, key: bytes, patterns: Mapping[str, str] | None = None) -> None:
        own = [OwnPattern(name, pattern) for name, pattern in (patterns or {}).items()]
        self.counts: Counter[str] = Counter()
        self._digests = Digests(key)
        self._kinds: tuple[_Kind, ...] = (*own, *_BUILT_IN)
        self._clean_names: set[str] = set()

    def text(self, text: str) -> str:
        """`text` with placeholders; the very same text where there is nothing to replace."""
        return self._pass(self._kinds).text(text)

    def value(self, value: Json) -> Json:
        """Plain data with all its texts redacted, the keys too; the very same where there is nothing to replace."""
        return self._pass(self._kinds).value(value)

    def call(self, call: LoggedCall) -> LoggedCall:
        """A logged call with all that is in it redacted, the raw record included; the very same where it is clean."""
        texts: dict[str, None] = {}
        # What stands in the raw record too is looked at once.
        plain = _gather(call.raw, texts)
        for value in map(call.__getattribute__, _FIELDS):
            if type(value) is str:
                texts[value] = None
            elif value:
                plain = _gather(value, texts) and plain
        for message in call.messages:
            texts[message.content] = None
        everything = "\n".join(texts)
        # What nothing in the call looks like is not looked for in each of its texts.
        kinds = [kind for kind in self._kinds if kind.suspicious(everything)]
        if plain and not kinds:
            return call
        one = self._pass(kinds)
        return replace(
            call,
            messages=tuple(Message(item.role, one.text(item.content)) for item in call.messages),
            **{name: one.value(getattr(call, name)) for name in _FIELDS},
        )

    def _pass(self, kinds: Sequence[_Kind]) -> _Pass:
        return _Pass(self._digests, kinds, self.counts, self._clean_names)


class _Pass:
    """One record's texts, or one text: what occurs twice in it is read once, and counted once."""

    def __init__(self, digests: Digests, kinds: Sequence[_Kind], counts: Counter[str], clean_names: set[str]) -> None:
        self._digests = digests
        self._clean_names = clean_names
        self._kinds = kinds
        self._counts = counts
        self._known: dict[str, str] = {}

    def text(self, text: str) -> str:
        if len(text) < _SHORTEST:
            return text
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._read(text)
        return known

    def value(self, value: Json) -> Json:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is dict:
            items = {self._name(key): self._field(key, item) for key, item in value.items()}
            same = items.keys() == value.keys() and all(items[key] is item for key, item in value.items())
            return value if same else items
        if kind is list or kind is tuple:
            new = [self.value(item) for item in value]
            return value if all(map(operator.is_, new, value)) else kind(new)
        return self._number(value) if kind is int and value >= _NO_CARD else value

    def _name(self, name: str) -> str:
        """The name of a field. Records have the same ones again and again."""
        if name in self._clean_names:
            return name
        new = self.text(name) if type(name) is str else name
        if new is name and len(self._clean_names) < _MOST_NAMES:
            self._clean_names.add(name)
        return new

    def _read(self, text: str) -> str:
        # What stood beside a value that is gone may be one itself now, so that once is not always enough.
        for _ in range(_MOST_PASSES):
            new = self._once(text)
            if new is text:
                break
            text = new
        return text

    def _once(self, text: str) -> str:
        kinds = [kind for kind in self._kinds if kind.suspicious(text)]
        found = self._found(text, kinds) if kinds else []
        # What is a placeholder already was found too, so that nothing else is seen in it.
        found = [finding for finding in found if finding.placeholder != text[finding.start : finding.end]]
        if not found:
            return text
        parts, end = [], 0
        for finding in found:
            parts += [text[end : finding.start], finding.placeholder]
            end = finding.end
            self._counts[finding.kind] += 1
        return "".join([*parts, text[end:]])

    def _found(self, text: str, kinds: Sequence[_Kind]) -> list[SensitiveSpan]:
        """What is to be replaced, from left to right. Where two overlap, the kind that is looked for first wins."""
        kept: list[SensitiveSpan] = []
        starts: list[int] = []
        for finding in (finding for kind in kinds for finding in kind.find(text, self._digests)):
            place = bisect(starts, finding.start)
            behind_the_last = not place or kept[place - 1].end <= finding.start
            if behind_the_last and (place == len(kept) or finding.end <= kept[place].start):
                starts.insert(place, finding.start)
                kept.insert(place, finding)
        return kept

    def _field(self, name: str, value: Json) -> Json:
        """The value of a field, whose name may say what it is."""
        if isinstance(name, str) and _is_telling(name):
            if isinstance(value, str) and _secret_shapes.is_secret(name, value):
                return self._counted("key", value, _secret_shapes.masked(value, self._digests))
            if isinstance(value, str) and _number_shapes.is_phone(name, value):
                return self._counted("phone", value, _number_shapes.phone_for(value, self._digests))
            if type(value) is int and value >= _SMALL and _number_shapes.is_phone(name, str(value)):
                return self._counted("phone", value, _number_shapes.plain_phone_for(value, self._digests))
        return self.value(value)

    def _number(self, value: int) -> int:
        digits = str(value) if value < 10**19 else ""
        if not _number_shapes.is_card(digits):
            return value
        return self._counted("card", value, int(_number_shapes.card_for(digits, self._digests)))

    def _counted(self, kind: str, old: _Plain, new: _Plain) -> _Plain:
        if new == old:
            return old
        self._counts[kind] += 1
        return new


def _gather(value: Json, texts: dict[str, None]) -> bool:
    """Adds all texts in `value` to `texts`; False when it holds a number or a field that wants a closer look.

    By far the most calls have nothing to replace, and for those this is nearly all the work.
    """
    kind, plain = type(value), True
    if kind is str:
        texts[value] = None
    elif kind is dict:
        for key, item in value.items():
            texts[key] = None
            kind = type(item)
            if kind is str:
                texts[item] = None
                plain = plain and not (_is_telling(key) and _tells(key, item))
            elif kind is int:
                plain = plain and item < _NO_CARD and not (_is_telling(key) and _tells(key, str(item)))
            elif kind is dict or kind is list:
                plain = _gather(item, texts) and plain
    elif kind is list or kind is tuple:
        for item in value:
            plain = _gather(item, texts) and plain
    elif kind is int:
        plain = value < _NO_CARD
    return plain


@lru_cache(maxsize=4096)
def _is_telling(name: str) -> bool:
    """Whether a field of this name may hold what is to be replaced, whatever it looks like."""
    return _number_shapes.is_phone_name(name) or _secret_shapes.is_secret_name(name)


def _tells(name: str, value: str) -> bool:
    return _number_shapes.is_phone(name, value) or _secret_shapes.is_secret(name, value)
