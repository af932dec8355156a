"""Warn about labels that cases expect and a prompt does not offer, by its schema or its text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from promptbench.checks._scores import quoted, same
from promptbench.checks.expect import parse_argument
from promptbench.core.canonical import canonical
from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.types import Json
from promptbench.engine.prepare.lint.allowed_labels import ANY_ITEM, AllowedValues, Path, listed
from promptbench.engine.prepare.lint.texts import static_text, texts_of
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.suite.file import field_name
from promptbench.suite.models import Case, Where, WrittenCheck

_LABEL_CHARACTERS = 60
_LABEL_WORDS = 4
_MOST_FIELDS = 100
_MOST_VALUES = 300
# A prompt that lists at least this many of the expected values lists labels, even if no two cases share one.
_LONG_LIST = 8
_MOST_WARNINGS = 10
_SHOWN = 8

_Key = tuple[tuple[type, Json], ...]


class _ExpectedValue(NamedTuple):
    """A value that a case expects: its path in the answer, the options that are right, and its location."""

    path: Path
    options: tuple[Json, ...]
    root: Where
    steps: tuple[str | int, ...]

    @property
    def key(self) -> _Key:
        # With the types, because 1 equals True in Python.
        return tuple((type(option), option) for option in self.options)


@dataclass(slots=True)
class _ValueCases:
    """The cases that expect a value: how many, and the name of one.

    `given` counts the cases with the value in their input: the prompt need not offer what can be copied. The named
    case is one without it, if there is any.
    """

    wanted: _ExpectedValue
    case: str
    cases: int = 0
    given: int = 0

    @property
    def location(self) -> Location:
        return self.wanted.root.location(*self.wanted.steps)

    @property
    def label(self) -> str:
        return " or ".join(map(quoted, self.wanted.options))


class _FieldValues:
    """The values that cases expect at one path of the answer.

    If a schema has a closed list there, all values are kept, up to a bound. Otherwise only labels are: a field with a
    long text, or with too many texts, is `free` and keeps nothing.
    """

    def __init__(self, *, closed: bool) -> None:
        self.values: dict[_Key, _ValueCases] = {}
        self.closed = closed
        self.free = False

    def add(self, key: _Key, wanted: _ExpectedValue, case: Case) -> None:
        value = self.values.get(key)
        if value is None:
            if len(self.values) >= _MOST_VALUES or not all(map(_is_label, wanted.options)):
                self.free = True
                if not self.closed:
                    self.values.clear()
                    return
            if len(self.values) >= _MOST_VALUES:
                return
            value = self.values[key] = _ValueCases(wanted, case.name)
        only = wanted.options[0] if len(wanted.options) == 1 else None
        if isinstance(only, str) and any(only in text for text in texts_of(case)):
            value.given += 1
        elif value.given == value.cases:
            value.wanted, value.case = wanted, case.name
        value.cases += 1


class Labels:
    """Collects what each case expects, and warns about what a prompt does not offer."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self._variants = [(variant, AllowedValues(variant.prompt.output_schema)) for variant in variants]
        self._fields: dict[Path, _FieldValues] = {}

    def look(self, case: Case) -> None:
        for (_, key), wanted in {(item.path, item.key): item for item in _expected_values(case)}.items():
            field = self._fields.get(wanted.path)
            if field is None:
                if len(self._fields) >= _MOST_FIELDS:
                    continue
                field = self._fields[wanted.path] = _FieldValues(
                    closed=any(offers.at(wanted.path) is not None for _, offers in self._variants)
                )
            if field.closed or not field.free:
                field.add(key, wanted, case)

    def report(self, found: Diagnostics) -> None:
        """Add warnings. They are no errors, because a prompt that cannot pass a case may be intended."""
        for variant, offers in self._variants:
            text = _PromptText(variant)
            for path, field in self._fields.items():
                allowed = offers.at(path)
                if allowed is not None:
                    self._report_schema(variant, path, field, allowed, found)
                elif not field.free:
                    self._report_text(variant, path, field, text, found)

    def _report_schema(
        self, variant: Variant, path: Path, field: _FieldValues, allowed: Sequence[Json], found: Diagnostics
    ) -> None:
        def hint(value: _ValueCases) -> str:
            near = next(
                (item for item in allowed for option in value.wanted.options if _folded(item) == _folded(option)), None
            )
            if near is not None:
                return f"the schema has {quoted(near)}, and answers are compared as exact text"
            return "add it to the prompt's output schema, or fix the case"

        missing = [
            value
            for value in field.values.values()
            if not any(same(option, item) for option in value.wanted.options for item in allowed)
        ]
        _warn(path, missing, f"the output schema of {variant.label} allows only {_join_values(allowed)}", hint, found)

    def _report_text(
        self, variant: Variant, path: Path, field: _FieldValues, text: _PromptText, found: Diagnostics
    ) -> None:
        values = {value.wanted.options[0]: value for value in field.values.values() if len(value.wanted.options) == 1}
        labels = [label for label in values if isinstance(label, str)]
        if len(labels) < 3:
            return
        offered = listed(text.instructions, labels)
        repeated = sum(values[label].cases for label in labels) > len(labels)
        if len(offered) < 2 or 3 * len(offered) < 2 * len(labels) or not (repeated or len(offered) >= _LONG_LIST):
            return
        missing = [
            values[label] for label in labels if not text.has(label) and values[label].given < values[label].cases
        ]

        def hint(value: _ValueCases) -> str:
            near = text.near(value.wanted.options[0])
            if near is not None:
                return f"the prompt has {quoted(near)}, and answers are compared as exact text"
            return "name it in the prompt, or fix the case"

        _warn(path, missing, f"{variant.label} lists only {_join_values(offered)}", hint, found)


class _PromptText:
    """The text of a prompt. `instructions` is the part without examples of answers."""

    def __init__(self, variant: Variant) -> None:
        prompt = variant.prompt
        defaults = " ".join(
            value if isinstance(value, str) else json.dumps(value) for value in prompt.defaults.values()
        )
        self.instructions = f"{static_text(prompt, ('system', 'user'))}\n\0\n{defaults}"
        self._all = f"{static_text(prompt)}\n{defaults}\n{canonical(prompt.output_schema)}"

    def has(self, label: str) -> bool:
        """Return True if the text has the label, or has it capitalized at the start of a sentence or line."""
        if re.search(rf"(?<!\w){re.escape(label)}(?!\w)", self._all):
            return True
        capital = label[:1].upper() + label[1:]
        return bool(re.search(rf"(?:\A|[.!?:\n\0*•-])\s*{re.escape(capital)}(?!\w)", self._all))

    def near(self, label: str) -> str | None:
        """Return the text's spelling if it differs from the label only in case, spaces, dashes and underscores."""
        words = r"[\s_-]*".join(map(re.escape, re.split(r"[\s_-]+", label)))
        match = re.search(rf"(?<!\w){words}(?!\w)", self._all, re.IGNORECASE)
        return match[0] if match else None


def _warn(
    path: Path, missing: Sequence[_ValueCases], offered: str, hint: Callable[[_ValueCases], str], found: Diagnostics
) -> None:
    # One warning for each of the first values, and one for the rest.
    subject = f" for '{'.'.join(path)}'" if path else ""
    for value in missing[:_MOST_WARNINGS]:
        more = f" (and {value.cases - 1} more cases)" if value.cases > 2 else " (and another case)" * (value.cases == 2)
        found.add(
            Code.LABEL_NOT_OFFERED,
            f"the case '{value.case}'{more} expects {value.label}{subject}, and {offered}",
            value.location,
            hint=hint(value),
            severity=Severity.WARNING,
        )
    rest = missing[_MOST_WARNINGS:]
    if rest:
        found.add(
            Code.LABEL_NOT_OFFERED,
            f"{len(rest)} more values are expected{subject}, and {offered}",
            rest[0].location,
            severity=Severity.WARNING,
        )


def _expected_values(case: Case) -> Iterator[_ExpectedValue]:
    if case.has_expect:
        yield from _compared_values(case.expect, case.where, ("expect",))
    if case.has_wish:
        yield from _leaves(case.should_be, case.where, ("should_be",))
    for spec in case.checks:
        name = field_name(spec.name)
        if name in ("equals", "expect"):
            yield from _compared_values(spec.argument, spec.where, ())
        elif name == "one_of" and isinstance(spec.argument, list):
            yield from _compared_values({"any of": spec.argument}, spec.where, ())
        elif name == "intent":
            yield from _intent_values(spec)


def _intent_values(spec: WrittenCheck) -> Iterator[_ExpectedValue]:
    given = spec.argument if isinstance(spec.argument, dict) else {"is": spec.argument}
    label, location = given.get("is"), str(given.get("at", ""))
    if isinstance(label, str) and label.strip() and "[" not in location:
        steps = ("is",) if isinstance(spec.argument, dict) else ()
        yield _ExpectedValue(tuple(filter(None, location.split("."))), (label.strip(),), spec.where, steps)


def _compared_values(argument: Json, root: Where, steps: tuple[str | int, ...]) -> Iterator[_ExpectedValue]:
    # Yield the values of an exact comparison. Other comparisons accept more than one spelling.
    try:
        check = parse_argument(argument)
    except ValueError:
        return
    if check.normal.steps or check.paths or check.path:
        return
    if len(check.right) == 1:
        inside = ("is",) if isinstance(argument, dict) and argument != check.right[0] else ()
        yield from _leaves(check.right[0], root, (*steps, *inside))
    elif not any(isinstance(item, list | dict) for item in check.right):
        yield _ExpectedValue((), check.right, root, steps)


def _leaves(value: Json, root: Where, steps: tuple[str | int, ...], path: Path = ()) -> Iterator[_ExpectedValue]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, root, (*steps, key), (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, root, (*steps, index), (*path, ANY_ITEM))
    elif not path and isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):  # A text that only starts like JSON is not a label.
            yield from _leaves(json.loads(value), root, steps)
    else:
        yield _ExpectedValue(path, (value.strip() if isinstance(value, str) else value,), root, steps)


def _is_label(value: Json) -> bool:
    # Return True if a value can be a label: a short text, or any other scalar.
    return not isinstance(value, str) or (0 < len(value) <= _LABEL_CHARACTERS and value.count(" ") < _LABEL_WORDS)


def _folded(value: Json) -> str:
    return re.sub(r"[\s_-]+", " ", str(value)).casefold()


def _join_values(values: Sequence[Json]) -> str:
    shown = ", ".join(map(quoted, values[:_SHOWN]))
    return f"{shown} and {len(values) - _SHOWN} more" if len(values) > _SHOWN else shown
