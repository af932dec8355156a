"""Warn about labels that cases expect and the list of labels in a prompt's text lacks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from promptbench.checks._scores import quoted
from promptbench.core.canonical import canonical
from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.types import Json
from promptbench.engine.prepare.expectations import Steps, expectations
from promptbench.engine.prepare.lint.texts import static_text, texts_of
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.suite.models import Case, Where

Path = tuple[str, ...]

_ANY_ITEM = "*"  # A step of a path that stands for every item of a list.
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
    """A value that cases expect at a path of the answer, and its cases.

    `given` counts the cases with the value in their input: the prompt need not offer what can be copied. The location
    and `case` are those of a case without it, if there is any.
    """

    path: Path
    value: Json
    location: Callable[[], Location]
    case: str = ""
    cases: int = 0
    given: int = 0

    @property
    def key(self) -> tuple[type, Json]:
        # With the type, because 1 equals True in Python.
        return type(self.value), self.value


@dataclass(slots=True)
class _Field:
    """The labels that cases expect at one path of the answer.

    A field with a long text, or with too many texts, is `free` and keeps nothing.
    """

    free: bool = False
    values: dict[tuple[type, Json], _Expected] = field(default_factory=dict)

    def add(self, value: _Expected, case: Case) -> None:
        if value.key not in self.values:
            self.free = self.free or len(self.values) >= _MOST_VALUES or not _is_label(value.value)
            if self.free:
                self.values.clear()
                return
            value.case = case.name
        known = self.values.setdefault(value.key, value)
        if isinstance(value.value, str) and any(value.value in text for text in texts_of(case)):
            known.given += 1
        elif known.given == known.cases:
            known.location, known.case = value.location, case.name
        known.cases += 1


class Labels:
    """Collects what each case expects, and warns about what a prompt does not offer."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self._variants = variants
        self._fields: dict[Path, _Field] = {}

    def look(self, case: Case) -> None:
        for value in {(item.path, item.key): item for item in _expected_values(case)}.values():
            if value.path not in self._fields and len(self._fields) < _MOST_FIELDS:
                self._fields[value.path] = _Field()
            if value.path in self._fields:
                self._fields[value.path].add(value, case)

    def report(self, found: Diagnostics) -> None:
        """Add warnings, not errors, because a prompt that cannot pass a case may be intended.

        What the schema of a prompt rules out is reported already.
        """
        ruled_out = {item.location for item in found}
        for variant in self._variants:
            for expected in self._fields.values():
                _report_text(variant, expected, ruled_out, found)


def _report_text(variant: Variant, expected: _Field, ruled_out: Collection[Location], found: Diagnostics) -> None:
    # A prompt lists labels if its instructions, which are the text without example answers, name most of those that
    # cases expect.
    prompt = variant.prompt
    defaults = " ".join(value if isinstance(value, str) else json.dumps(value) for value in prompt.defaults.values())
    instructions = f"{static_text(prompt, ('system', 'user'))}\n\0\n{defaults}"
    text = f"{static_text(prompt)}\n{defaults}\n{canonical(prompt.output_schema)}"
    labels = {value.value: value for value in expected.values.values() if isinstance(value.value, str)}
    if len(labels) < 3 or _OPEN_LIST.search(instructions):
        return
    named = [label for label in labels if re.search(rf"(?<!\w){re.escape(label)}(?!\w)", instructions)]
    repeated = sum(value.cases for value in labels.values()) > len(labels)
    if len(named) < 2 or 3 * len(named) < 2 * len(labels) or not (repeated or len(named) >= _LONG_LIST):
        return

    def near(label: str) -> str | None:
        # The text's spelling, if it differs only in case, spaces, dashes and underscores.
        words = r"[\s_-]*".join(map(re.escape, re.split(r"[\s_-]+", label)))
        match = re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE)
        return match[0] if match else None

    missing = [value for label, value in labels.items() if value.given < value.cases and not _is_named(label, text)]
    missing = [value for value in missing if value.location() not in ruled_out]
    about = f"'{'.'.join(missing[0].path)}'" if missing and missing[0].path else ""
    offered = f"{f' for {about}' if about else ''}, and {variant.label} names only {_join_values(named)}"
    # One warning for each of the first values, and one for the rest.
    for value in missing[:_MOST_WARNINGS]:
        more = f" (and {value.cases - 1} more cases)" if value.cases > 2 else " (and another case)" * (value.cases == 2)
        similar = near(value.value)
        found.add(
            Code.LABEL_NOT_OFFERED,
            f"the case '{value.case}'{more} expects {quoted(value.value)}{offered}",
            value.location(),
            hint=f"the prompt has {quoted(similar)}, and answers are compared as exact text"
            if similar
            else "add it to the prompt, or fix the case",
            severity=Severity.WARNING,
        )
    if rest := missing[_MOST_WARNINGS:]:
        message = f"{len(rest)} more values are expected{offered}"
        found.add(Code.LABEL_NOT_OFFERED, message, rest[0].location(), severity=Severity.WARNING)


def _is_named(label: str, text: str) -> bool:
    # It may be capitalized at the start of a sentence or line.
    capital = label[:1].upper() + label[1:]
    pattern = rf"(?<!\w){re.escape(label)}(?!\w)|(?:\A|[.!?:\n\0*•-])\s*{re.escape(capital)}(?!\w)"
    return re.search(pattern, text) is not None


def _expected_values(case: Case) -> Iterator[_Expected]:
    for root, steps, right, _ in expectations(case):
        if len(right) == 1:
            yield from _leaves(right[0], root, steps)


def _leaves(value: Json, root: Where, steps: Steps, path: Path = ()) -> Iterator[_Expected]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, root, (*steps, key), (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, root, (*steps, index), (*path, _ANY_ITEM))
    elif not path and isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):  # A text that only starts like JSON is not a label.
            yield from _leaves(json.loads(value), root, steps)
    else:
        location = partial(root.location, *steps)
        yield _Expected(path, value.strip() if isinstance(value, str) else value, location)


def _is_label(value: Json) -> bool:
    # Return True if a value can be a label: a short text, or any other scalar.
    return not isinstance(value, str) or (0 < len(value) <= _LABEL_CHARACTERS and value.count(" ") < _LABEL_WORDS)


def _join_values(values: Sequence[Json]) -> str:
    shown = ", ".join(map(quoted, values[:_SHOWN]))
    return f"{shown} and {len(values) - _SHOWN} more" if len(values) > _SHOWN else shown
