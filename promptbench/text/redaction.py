"""Takes personal data and secrets out of what is kept: each value is replaced by a placeholder of the same shape.

E-mail addresses, telephone numbers, payment cards, bank accounts, keys and tokens, and what a project's own patterns
say. The same value has the same placeholder everywhere in a project, so that two mentions of a person stay one
person, and a prompt that extracts an address still finds one. A placeholder is left as it is: redacting again changes
nothing. The time is linear in the text.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from promptbench.core.types import Json, LoggedCall, Message
from promptbench.text import _address_shapes, _number_shapes, _secret_shapes
from promptbench.text._own_patterns import OwnPattern
from promptbench.text._placeholders import Digests, Finding

_Plain = TypeVar("_Plain")

_SHORTEST = 6
"""Nothing that is looked for is shorter."""
_SMALL = 10**6
"""A smaller number is no telephone."""
_NO_CARD = 10**12
"""Nor is a smaller one a payment card."""
_FIELDS = (
    "id", "answer", "model", "variables", "prompt", "prompt_version", "error", "finish_reason", "failed", "tags",
    "extra", "expected", "raw",
)  # fmt: skip


class _Kind(Protocol):
    """Texts of one kind. `suspicious` is quick, and True wherever `find` finds something."""

    def suspicious(self, text: str) -> bool: ...

    def find(self, text: str, digests: Digests) -> Iterator[Finding]: ...


_BUILT_IN: tuple[_Kind, ...] = (_secret_shapes, _address_shapes, _number_shapes)


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

    def text(self, text: str) -> str:
        """`text` with placeholders; the very same text where there is nothing to replace."""
        return _Pass(self._digests, self._kinds, self.counts).text(text)

    def value(self, value: Json) -> Json:
        """Plain data with all its texts redacted, the keys too; the very same where there is nothing to replace."""
        return _Pass(self._digests, self._kinds, self.counts).value(value)

    def call(self, call: LoggedCall) -> LoggedCall:
        """A logged call with all that is in it redacted, the raw record included; the very same where it is clean."""
        texts: dict[str, None] = {}
        # Not `all`: every text has to be gathered. What stands in the raw record too is looked at once.
        plain = [_gather(call.raw, texts), *(_gather(getattr(call, name), texts) for name in _FIELDS)]
        texts.update(dict.fromkeys(message.content for message in call.messages))
        everything = "\n".join(texts)
        # What nothing in the call looks like is not looked for in each of its texts.
        kinds = [kind for kind in self._kinds if kind.suspicious(everything)]
        if not kinds and all(plain):
            return call
        one = _Pass(self._digests, kinds, self.counts)
        return replace(
            call,
            messages=tuple(Message(item.role, one.text(item.content)) for item in call.messages),
            **{name: one.value(getattr(call, name)) for name in _FIELDS},
        )


class _Pass:
    """One record's texts, or one text: what occurs twice in it is read once, and counted once."""

    def __init__(self, digests: Digests, kinds: Sequence[_Kind], counts: Counter[str]) -> None:
        self._digests = digests
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
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            items = {self.text(key): self._field(key, item) for key, item in value.items()}
            same = len(items) == len(value) and all(key in items and items[key] is item for key, item in value.items())
            return value if same else items
        if isinstance(value, list | tuple):
            new = [self.value(item) for item in value]
            same = all(one is other for one, other in zip(new, value, strict=True))
            return value if same else type(value)(new)
        return self._number(value) if isinstance(value, int) and value >= _NO_CARD else value

    def _read(self, text: str) -> str:
        kinds = [kind for kind in self._kinds if kind.suspicious(text)]
        found = self._found(text, kinds) if kinds else []
        if not found:
            return text
        parts, end = [], 0
        for finding in found:
            parts += [text[end : finding.start], finding.placeholder]
            end = finding.end
            if finding.placeholder != text[finding.start : finding.end]:
                self._counts[finding.kind] += 1
        return "".join([*parts, text[end:]])

    def _found(self, text: str, kinds: Sequence[_Kind]) -> list[Finding]:
        """What is to be replaced, from left to right. Where two overlap, the kind that is looked for first wins."""
        kept: list[Finding] = []
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
        if isinstance(value, str) and len(value) >= _SHORTEST and isinstance(name, str):
            if _secret_shapes.is_secret(name, value):
                return self._counted("key", value, _secret_shapes.masked(value, self._digests))
            if _number_shapes.is_phone(name, value):
                return self._counted("phone", value, _number_shapes.phone_for(value, self._digests))
        elif type(value) is int and value >= _SMALL and _number_shapes.is_phone(name, str(value)):
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
    """Adds all texts in `value` to `texts`; False when it holds a number or a field that wants a closer look."""
    kind, plain = type(value), True
    if kind is str:
        texts[value] = None
    elif kind is dict:
        for key, item in value.items():
            if type(item) is str:
                texts[item] = None
                plain = plain and not _is_telling(key, item)
            else:
                plain = _gather(item, texts) and plain and not (type(item) is int and _is_telling(key, str(item)))
            texts[key] = None
    elif kind is list or kind is tuple:
        for item in value:
            plain = _gather(item, texts) and plain
    elif kind is int:
        plain = value < _NO_CARD
    return plain


def _is_telling(name: str, value: str) -> bool:
    """Whether the name of a field says that its value is to be replaced."""
    return _number_shapes.is_phone(name, value) or _secret_shapes.is_secret(name, value)
