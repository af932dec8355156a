"""Warn about labels that cases expect and a prompt does not offer, by its schema or its text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from promptbench.checks._scores import quoted, same
from promptbench.checks.expect import parse_argument
from promptbench.core.canonical import canonical
from promptbench.core.diagnostics import Code, Diagnostics, Severity
from promptbench.core.types import Json
from promptbench.engine.prepare.lint.allowed_labels import ANY_ITEM, AllowedValues, Path
from promptbench.engine.prepare.lint.texts import static_text, texts_of
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.suite.file import field_name
from promptbench.suite.models import Case, Where, WrittenCheck

_LABEL_CHARACTERS = 60
_LABEL_WORDS = 4
_MOST_FIELDS = 100
_MOST_VALUES = 300
# A prompt that names at least this many of the expected values lists labels, even if no two cases share one.
_LONG_LIST = 8
_MOST_WARNINGS = 10
_SHOWN = 8
# Words of a list that names only some values.
_OPEN_LIST = re.compile(r"\b(?:e\.?\s?g|z\.\s?b|such as|for (?:example|instance)|including|etc|usw)\b|…|\.\.\.", re.I)


@dataclass(slots=True)
class _Expected:
    """A value that cases expect at a path of the answer: the options that are right, and its cases.

    `given` counts the cases with the value in their input: the prompt need not offer what can be copied. The location
    and `case` are those of a case without it, if there is any.
    """

    path: Path
    options: tuple[Json, ...]
    root: Where
    steps: tuple[str | int, ...]
    case: str = ""
    cases: int = 0
    given: int = 0

    @property
    def key(self) -> tuple[tuple[type, Json], ...]:
        # With the types, because 1 equals True in Python.
        return tuple((type(option), option) for option in self.options)


@dataclass(slots=True)
class _Field:
    """The values that cases expect at one path of the answer.

    If a schema has a closed list there, all values are kept, up to a bound. Otherwise only labels are: a field with a
    long text, or with too many texts, is `free` and keeps nothing.
    """

    closed: bool
    free: bool = False
    values: dict[tuple[tuple[type, Json], ...], _Expected] = field(default_factory=dict)

    def add(self, value: _Expected, case: Case) -> None:
        if value.key not in self.values:
            full = len(self.values) >= _MOST_VALUES
            self.free = self.free or full or not all(map(_is_label, value.options))
            if self.free and not self.closed:
                self.values.clear()
            if full or (self.free and not self.closed):
                return
            value.case = case.name
        known = self.values.setdefault(value.key, value)
        only = value.options[0] if len(value.options) == 1 else None
        if isinstance(only, str) and any(only in text for text in texts_of(case)):
            known.given += 1
        elif known.given == known.cases:
            known.root, known.steps, known.case = value.root, value.steps, case.name
        known.cases += 1


class Labels:
    """Collects what each case expects, and warns about what a prompt does not offer."""

    def __init__(self, variants: Sequence[Variant], reported: Container[tuple[Path, str]] = ()) -> None:
        self._reported = reported
        self._variants = [(variant, AllowedValues(variant.prompt.output_schema)) for variant in variants]
        self._fields: dict[Path, _Field] = {}

    def look(self, case: Case) -> None:
        for value in {(item.path, item.key): item for item in _expected_values(case)}.values():
            if value.path not in self._fields and len(self._fields) < _MOST_FIELDS:
                self._fields[value.path] = _Field(
                    any(allowed.at(value.path) is not None for _, allowed in self._variants)
                )
            if value.path in self._fields:
                self._fields[value.path].add(value, case)

    def report(self, found: Diagnostics) -> None:
        """Add warnings, not errors, because a prompt that cannot pass a case may be intended."""
        for variant, allowed_values in self._variants:
            for path, expected in self._fields.items():
                allowed = allowed_values.at(path)
                if allowed is not None:
                    values = expected.values.values()
                    left = [item for item in values if (path, canonical(item.options[0])) not in self._reported]
                    _report_schema(variant, allowed, left, found)
                elif not expected.free:
                    _report_text(variant, expected, found)


def _report_schema(
    variant: Variant, allowed: Sequence[Json], expected: Sequence[_Expected], found: Diagnostics
) -> None:
    def near(value: _Expected) -> Json:
        return next((item for item in allowed if _folded(item) in map(_folded, value.options)), None)

    missing = [
        value for value in expected if not any(same(option, item) for option in value.options for item in allowed)
    ]
    _warn(
        missing, f"the output schema of {variant.label} allows only {_join_values(allowed)}", "the schema", near, found
    )


def _report_text(variant: Variant, expected: _Field, found: Diagnostics) -> None:
    # A prompt lists labels if its instructions, which are the text without example answers, name most of those that
    # cases expect.
    prompt = variant.prompt
    defaults = " ".join(value if isinstance(value, str) else json.dumps(value) for value in prompt.defaults.values())
    instructions = f"{static_text(prompt, ('system', 'user'))}\n\0\n{defaults}"
    text = f"{static_text(prompt)}\n{defaults}\n{canonical(prompt.output_schema)}"
    labels = {str(value.options[0]): value for value in expected.values.values() if _is_text_label(value)}
    if len(labels) < 3 or _OPEN_LIST.search(instructions):
        return
    named = [label for label in labels if re.search(rf"(?<!\w){re.escape(label)}(?!\w)", instructions)]
    repeated = sum(value.cases for value in labels.values()) > len(labels)
    if len(named) < 2 or 3 * len(named) < 2 * len(labels) or not (repeated or len(named) >= _LONG_LIST):
        return

    def near(value: _Expected) -> Json:
        # The text's spelling, if it differs only in case, spaces, dashes and underscores.
        words = r"[\s_-]*".join(map(re.escape, re.split(r"[\s_-]+", str(value.options[0]))))
        match = re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE)
        return match[0] if match else None

    missing = [value for label, value in labels.items() if value.given < value.cases and not _is_named(label, text)]
    _warn(missing, f"{variant.label} names only {_join_values(named)}", "the prompt", near, found)


def _is_text_label(value: _Expected) -> bool:
    return len(value.options) == 1 and isinstance(value.options[0], str)


def _is_named(label: str, text: str) -> bool:
    # It may be capitalized at the start of a sentence or line.
    capital = label[:1].upper() + label[1:]
    pattern = rf"(?<!\w){re.escape(label)}(?!\w)|(?:\A|[.!?:\n\0*•-])\s*{re.escape(capital)}(?!\w)"
    return re.search(pattern, text) is not None


def _warn(
    missing: Sequence[_Expected], offered: str, owner: str, near: Callable[[_Expected], Json], found: Diagnostics
) -> None:
    # One warning for each of the first values, and one for the rest.
    for value in missing[:_MOST_WARNINGS]:
        more = f" (and {value.cases - 1} more cases)" if value.cases > 2 else " (and another case)" * (value.cases == 2)
        label = " or ".join(map(quoted, value.options))
        similar = near(value)
        found.add(
            Code.LABEL_NOT_OFFERED,
            f"the case '{value.case}'{more} expects {label}{_subject(value)}, and {offered}",
            value.root.location(*value.steps),
            hint=f"add it to {owner}, or fix the case"
            if similar is None
            else f"{owner} has {quoted(similar)}, and answers are compared as exact text",
            severity=Severity.WARNING,
        )
    if rest := missing[_MOST_WARNINGS:]:
        found.add(
            Code.LABEL_NOT_OFFERED,
            f"{len(rest)} more values are expected{_subject(rest[0])}, and {offered}",
            rest[0].root.location(*rest[0].steps),
            severity=Severity.WARNING,
        )


def _subject(value: _Expected) -> str:
    return f" for '{'.'.join(value.path)}'" if value.path else ""


def _expected_values(case: Case) -> Iterator[_Expected]:
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


def _intent_values(spec: WrittenCheck) -> Iterator[_Expected]:
    given = spec.argument if isinstance(spec.argument, dict) else {"is": spec.argument}
    label, location = given.get("is"), str(given.get("at", ""))
    if isinstance(label, str) and label.strip() and "[" not in location:
        steps = ("is",) if isinstance(spec.argument, dict) else ()
        yield _Expected(tuple(filter(None, location.split("."))), (label.strip(),), spec.where, steps)


def _compared_values(argument: Json, root: Where, steps: tuple[str | int, ...]) -> Iterator[_Expected]:
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
        yield _Expected((), check.right, root, steps)


def _leaves(value: Json, root: Where, steps: tuple[str | int, ...], path: Path = ()) -> Iterator[_Expected]:
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
        yield _Expected(path, (value.strip() if isinstance(value, str) else value,), root, steps)


def _is_label(value: Json) -> bool:
    # Return True if a value can be a label: a short text, or any other scalar.
    return not isinstance(value, str) or (0 < len(value) <= _LABEL_CHARACTERS and value.count(" ") < _LABEL_WORDS)


def _folded(value: Json) -> str:
    return re.sub(r"[\s_-]+", " ", str(value)).casefold()


def _join_values(values: Sequence[Json]) -> str:
    shown = ", ".join(map(quoted, values[:_SHOWN]))
    return f"{shown} and {len(values) - _SHOWN} more" if len(values) > _SHOWN else shown
