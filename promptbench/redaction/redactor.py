"""Redaction of personal data and secrets: each value is replaced by a placeholder of the same shape.

`docs/guides/redaction.md` lists what is found and what is not. A project can add its own patterns.
A value has the same placeholder everywhere in a project, so two mentions of a person stay one person, and a prompt that
extracts an address still finds one. Placeholders are not replaced again. The time is linear in the length of the text.
"""

from __future__ import annotations

import operator
import re
from bisect import bisect
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Protocol, TypeVar

import regex

from promptbench.core.types import Json, LoggedCall, Message
from promptbench.redaction import (
    _address_shapes,
    _identity_shapes,
    _ip_addresses,
    _named_shapes,
    _number_shapes,
    _secret_shapes,
)
from promptbench.redaction._placeholders import Digests, SensitiveSpan, compile_byte_marks, encode_shape

_Plain = TypeVar("_Plain")

# Nothing shorter is sensitive.
_MIN_LENGTH = 6
# A smaller integer is not a telephone number.
_MIN_PHONE = 10**6
# A smaller integer is not a payment card.
_MIN_CARD = 10**12
_MAX_NAMES = 10_000
_MAX_CLEAN_CHARACTERS = 2**18
_MAX_PASSES = 8
_VALUES_OF_PAIRS = {"value", "values", "stringValue", "arrayValue"}
# For one search with a pattern of the project.
_SECONDS = 1.0
# To find, not to replace.
_NO_KEY = Digests(b"")
_FIELDS = (
    "id", "answer", "model", "variables", "prompt", "prompt_version", "error", "finish_reason", "failed", "tags",
    "extra", "expected", "raw",
)  # fmt: skip
_get_fields = operator.attrgetter(*_FIELDS)


class _Detector(Protocol):
    """A detector of one kind of data.

    `MARKS` are lower-case texts with 0 for each digit. Every text in which `find` yields a span has one of them, if
    there are any.
    """

    @property
    def MARKS(self) -> tuple[str, ...]: ...

    def find(self, text: str, digests: Digests) -> Iterator[SensitiveSpan]: ...


_BUILT_IN: tuple[_Detector, ...] = (
    _secret_shapes, _named_shapes, _address_shapes, _identity_shapes, _ip_addresses,
    _number_shapes,
)  # fmt: skip


_MARKS, _OWNERS = zip(*((mark, detector) for detector in _BUILT_IN for mark in detector.MARKS), strict=True)


_search_marks = cache(lambda: compile_byte_marks(_MARKS))


def _select_detectors(detectors: Sequence[_Detector], text: str) -> list[_Detector]:
    """Return those of `detectors` that may find something in `text`."""
    shape = encode_shape(text.lower())
    hit = {_OWNERS[index] for index, _, _ in _search_marks().find_matches_as_indexes(shape, overlapping=True)}
    has_number = _number_shapes.has_digits(shape, marked=_number_shapes in hit)
    return [item for item in detectors if (has_number if item is _number_shapes else item in hit or not item.MARKS)]


class Redactor:
    """Replace sensitive data by placeholders. `counts` has the number of replacements by kind.

    Args:
        key: The project's secret, from which placeholders are derived.
        patterns: Regular expressions by name; if one has a group, only the group is replaced.

    Raise ValueError for an invalid pattern.
    """

    def __init__(self, key: bytes, patterns: Mapping[str, str] | None = None) -> None:
        own = [_OwnPattern(name, pattern) for name, pattern in (patterns or {}).items()]
        self.counts: Counter[str] = Counter()
        self.digests = Digests(key)
        self._detectors: tuple[_Detector, ...] = (*own, *_BUILT_IN)
        # Names of fields that are not sensitive and name no sensitive value. Records repeat them.
        self.clean_names: set[str] = set()
        # Texts in which nothing was found. Records repeat instructions.
        self._clean_texts: set[str] = set()
        self._clean_characters = 0

    def redact_text(self, text: str) -> str:
        """Return `text` with placeholders; one placeholder for all of it if a pattern takes too long on it.

        The same object if there is nothing to replace.
        """
        try:
            return _Pass(self, self._detectors).text(text)
        except TimeoutError:
            return self.digests.mask(text)

    def redact_call(self, call: LoggedCall) -> LoggedCall:
        """Return a call with all fields and its raw record redacted; the same object if there is nothing to replace.

        Raise TimeoutError if a pattern takes too long.
        """
        texts: dict[str, None] = {}
        names: set[str] = set()
        # Most texts are in the raw record too; each one is searched once.
        values = [*_get_fields(call), *(message.content for message in call.messages)]
        plain = _gather_texts(values, texts, names, self.clean_names)
        new = [text for text in texts if text not in self._clean_texts]
        if plain and not self._finds_any([*new, *names]):
            self._keep_clean(new)
            if len(self.clean_names) < _MAX_NAMES:
                self.clean_names.update(name for name in names if not _is_sensitive_name(name))
            return call
        one = _Pass(self, self._detectors, self._clean_texts)
        done = _rebuild(call, one)
        self._keep_clean([text for text, new in one.known.items() if new is text])
        return _rebuild(done, _Pass(self, [_Echo(one.echoes)])) if one.echoes else done

    def _finds_any(self, texts: Sequence[str]) -> bool:
        """Return True if there may be something to replace in one of `texts`."""
        everything = "\n".join(texts)
        return any(
            any(item.find(text, _NO_KEY))
            for item in _select_detectors(self._detectors, everything)
            # A pattern of the project may match only at the start or end of a text.
            for text in (texts if isinstance(item, _OwnPattern) else [everything])
        )

    def _keep_clean(self, texts: Sequence[str]) -> None:
        self._clean_characters += sum(map(len, texts))
        if self._clean_characters > _MAX_CLEAN_CHARACTERS:
            self._clean_characters = 0
            self._clean_texts.clear()
        self._clean_texts.update(texts)


def _rebuild(call: LoggedCall, one: _Pass) -> LoggedCall:
    return replace(
        call,
        messages=tuple(Message(item.role, one.text(item.content)) for item in call.messages),
        **dict(zip(_FIELDS, map(one.value, _get_fields(call)), strict=True)),
    )


class _Pass:
    """The texts of one record, or one text. A text that occurs twice is searched and counted once."""

    def __init__(
        self, redactor: Redactor, detectors: Sequence[_Detector], clean_texts: Container[str] = frozenset()
    ) -> None:
        self._digests, self._counts, self._clean_names = redactor.digests, redactor.counts, redactor.clean_names
        self._clean_texts = clean_texts
        self._detectors = detectors
        # Redacted texts by text.
        self.known: dict[str, str] = {}
        # Placeholders by value. A model repeats a password without the word that gave it away.
        self.echoes: dict[str, str] = {}

    def text(self, text: str) -> str:
        if len(text) < _MIN_LENGTH or text in self._clean_texts:
            return text
        known = self.known.get(text)
        if known is None:
            known = self.known[text] = self._redact_fully(text)
        return known

    def value(self, value: Json, name: str = "") -> Json:
        """Return redacted data. `name` is that of its field, or that of the pair whose value it is."""
        kind = type(value)
        if kind is str or kind is int:
            return self._redact_field(name, value)
        if kind is dict:
            label = _find_label(value) or name
            items = {
                self._redact_name(key): self.value(item, label if key in _VALUES_OF_PAIRS else key)
                for key, item in value.items()
            }
            same = items.keys() == value.keys() and all(items[key] is item for key, item in value.items())
            return value if same else items
        if kind is list or kind is tuple:
            new = [self.value(item, name) for item in value]
            return value if all(map(operator.is_, new, value)) else kind(new)
        return value

    def _redact_name(self, name: str) -> str:
        """Return the redacted name of a field. Clean names are cached, because records repeat them."""
        if name in self._clean_names:
            return name
        new = self.text(name) if type(name) is str else name
        if new is name and len(self._clean_names) < _MAX_NAMES and not _is_sensitive_name(name):
            self._clean_names.add(name)
        return new

    def _redact_fully(self, text: str) -> str:
        # The text next to a replaced value may match only now, so one pass is not always enough.
        for _ in range(_MAX_PASSES):
            new = self._redact_once(text)
            if new is text:
                break
            text = new
        return text

    def _redact_once(self, text: str) -> str:
        found = self._find(text, _select_detectors(self._detectors, text))
        # Placeholders are found too, so that no other detector finds anything inside them.
        found = [span for span in found if span.placeholder != text[span.start : span.end]]
        if not found:
            return text
        parts, end = [], 0
        for span in found:
            parts += [text[end : span.start], span.placeholder]
            end = span.end
            self._counts[span.kind] += 1
            if span.unique and span.end - span.start >= _MIN_LENGTH:
                self.echoes[text[span.start : span.end]] = span.placeholder
        return "".join([*parts, text[end:]])

    def _find(self, text: str, detectors: Sequence[_Detector]) -> list[SensitiveSpan]:
        """Return the spans to replace, from left to right. If two overlap, the first detector wins."""
        kept: list[SensitiveSpan] = []
        starts: list[int] = []
        for span in (span for detector in detectors for span in detector.find(text, self._digests)):
            index = bisect(starts, span.start)
            after_previous = not index or kept[index - 1].end <= span.start
            if after_previous and (index == len(kept) or span.end <= kept[index].start):
                starts.insert(index, span.start)
                kept.insert(index, span)
        return kept

    def _redact_field(self, name: str, value: str | int) -> str | int:
        if name and name not in self._clean_names and _is_sensitive_name(name):
            if isinstance(value, str) and _number_shapes.is_phone(name, value):
                return self._count("phone", value, _number_shapes.replace_phone(value, self._digests))
            if isinstance(value, int) and value >= _MIN_PHONE and _number_shapes.is_phone(name, str(value)):
                return self._count("phone", value, _number_shapes.replace_phone_integer(value, self._digests))
            label = f"{self._redact_name(name)}: "
            new = self.text(f"{label}{value}").removeprefix(label)
            if new != str(value):
                return int(new) if isinstance(value, int) and new.isdecimal() else new
        if isinstance(value, str):
            return self.text(value)
        return self._redact_integer(value) if value >= _MIN_CARD else value

    def _redact_integer(self, value: int) -> int:
        digits = str(value) if value < 10**19 else ""
        if not _number_shapes.is_card(digits):
            return value
        return self._count("card", value, int(_number_shapes.replace_card(digits, self._digests)))

    def _count(self, kind: str, old: _Plain, new: _Plain) -> _Plain:
        if new == old:
            return old
        self._counts[kind] += 1
        return new


def _gather_texts(value: Json, texts: dict[str, None], names: set[str], clean_names: Container[str]) -> bool:
    """Add all texts in `value` to `texts`, and the names of fields that are not in `clean_names` to `names`.

    Return False if a number or a named field needs a closer look. Most calls have nothing to replace, and for those
    this is nearly all the work.
    """
    kind, plain = type(value), True
    if kind is dict:
        for key, item in value.items():
            kind = type(item)
            if key not in clean_names:
                names.add(key)
                if _is_sensitive_name(key):
                    plain = plain and kind is not list and kind is not dict and not _is_sensitive(key, str(item))
            if kind is str:
                texts[item] = None
            elif kind is int:
                plain = plain and item < _MIN_CARD
            elif kind is dict or kind is list:
                plain = _gather_texts(item, texts, names, clean_names) and plain
        if "value" in value and _find_label(value):
            plain = False
    elif kind is list or kind is tuple:
        for item in value:
            if type(item) is str:
                texts[item] = None
            elif item is not None:
                plain = _gather_texts(item, texts, names, clean_names) and plain
    elif kind is int:
        plain = value < _MIN_CARD
    return plain


@lru_cache(maxsize=4096)
def _is_sensitive_name(name: str) -> bool:
    return any(shapes.is_sensitive_name(name) for shapes in (_number_shapes, _named_shapes))


def _find_label(pair: dict[str, Json]) -> str | None:
    """Return the sensitive name in a pair of name and value: in HAR's headers, and in OpenTelemetry's attributes."""
    name = pair.get("name", pair.get("key"))
    return name if type(name) is str and _is_sensitive_name(name) else None


def _is_sensitive(name: str, value: str) -> bool:
    labelled = f"{name}: {value}"
    return _number_shapes.is_phone(name, value) or any(
        any(shapes.find(labelled, _NO_KEY)) for shapes in (_named_shapes, _number_shapes)
    )


class _Echo:
    """The values that a record gave away somewhere else."""

    MARKS = ()

    def __init__(self, placeholders: Mapping[str, str]) -> None:
        self._placeholders = placeholders
        longest_first = sorted(placeholders, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")

    def find(self, text: str, digests: Digests) -> Iterator[SensitiveSpan]:
        for match in self._pattern.finditer(text):
            yield SensitiveSpan(match.start(), match.end(), self._placeholders[match[0]], "key")


class _OwnPattern:
    """A regular expression for one kind of sensitive data.

    Raise ValueError if the expression is invalid or matches the empty text.
    """

    MARKS = ()

    def __init__(self, kind: str, pattern: str) -> None:
        self._kind = kind
        try:
            self._pattern = regex.compile(pattern)
        except regex.error as error:
            raise ValueError(f"the pattern '{kind}' is not a valid regular expression: {error}") from None
        if self._pattern.search("") is not None:
            raise ValueError(f"the pattern '{kind}' matches the empty text")

    def find(self, text: str, digests: Digests) -> Iterator[SensitiveSpan]:
        """Yield the matches; if the pattern has a group, the group."""
        for match in self._pattern.finditer(text, timeout=_SECONDS):
            start, end = match.span(1) if match.re.groups and match[1] else match.span()
            if start < end:
                yield SensitiveSpan(start, end, digests.reshape(self._kind, text[start:end]), self._kind)
