"""Whether a prompt offers the answers that cases expect: a label that it does not name is not among the answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from promptbench.checks._options import comparison
from promptbench.checks._words import quoted, same
from promptbench.core.canonical import canonical
from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.types import Json
from promptbench.project.bench import Variant
from promptbench.project.offers import ANY_ITEM, AllowedValues, Path, listed
from promptbench.project.texts import static_text, texts_of
from promptbench.suite.models import Case, CheckSpec, Where, field_name

_LABEL_CHARACTERS = 60
_LABEL_WORDS = 4
_MOST_FIELDS = 100
_MOST_VALUES = 300
_LONG_LIST = 8  # A prompt that lists so many of the expected values lists labels, also where no case repeats one.
_MOST_WARNINGS = 10
_SHOWN = 8

_Key = tuple[tuple[type, Json], ...]


class _Wanted(NamedTuple):
    """One thing that a case expects: a path in the answer, values of which one will do, and where that is written."""

    path: Path
    options: tuple[Json, ...]
    root: Where
    steps: tuple[str | int, ...]

    @property
    def key(self) -> _Key:
        """The options without the likeness of 1 and true."""
        return tuple((type(option), option) for option in self.options)


@dataclass(slots=True)
class _Expected:
    """Something that cases expect, the first case that does, and how many do.

    `given` counts the cases that bring the value themselves: what can be copied from the input need not be offered.
    The first case is one that does not, if there is any.
    """

    wanted: _Wanted
    case: str
    cases: int = 0
    given: int = 0

    @property
    def location(self) -> Location:
        return self.wanted.root.location(*self.wanted.steps)

    @property
    def label(self) -> str:
        return " or ".join(map(quoted, self.wanted.options))


class _Field:
    """What the cases expect at one path of the answer.

    Where a schema closes the list, all of it is held up to a bound. Elsewhere labels alone are: a field with one long
    text, or with too many texts, is `free`, and nothing of it is held.
    """

    def __init__(self, *, closed: bool) -> None:
        self.values: dict[_Key, _Expected] = {}
        self.closed = closed
        self.free = False

    def add(self, key: _Key, wanted: _Wanted, case: Case) -> None:
        value = self.values.get(key)
        if value is None:
            if len(self.values) >= _MOST_VALUES or not all(map(_is_label, wanted.options)):
                self.free = True
                if not self.closed:
                    self.values.clear()
                    return
            if len(self.values) >= _MOST_VALUES:
                return
            value = self.values[key] = _Expected(wanted, case.name)
        only = wanted.options[0] if len(wanted.options) == 1 else None
        if isinstance(only, str) and any(only in text for text in texts_of(case)):
            value.given += 1
        elif value.given == value.cases:
            value.wanted, value.case = wanted, case.name
        value.cases += 1


class Labels:
    """Looks at what each case expects, and tells what of it a prompt does not offer."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self._variants = [(variant, AllowedValues(variant.prompt.output_schema)) for variant in variants]
        self._fields: dict[Path, _Field] = {}

    def look(self, case: Case) -> None:
        for (_, key), wanted in {(item.path, item.key): item for item in _wanted(case)}.items():
            there = self._fields.get(wanted.path)
            if there is None:
                if len(self._fields) >= _MOST_FIELDS:
                    continue
                closed = any(offers.at(wanted.path) is not None for _, offers in self._variants)
                there = self._fields[wanted.path] = _Field(closed=closed)
            if there.closed or not there.free:
                there.add(key, wanted, case)

    def report(self, found: Diagnostics) -> None:
        """Warnings only: a prompt that cannot pass a case is what a run is there to show, and may well be meant."""
        for variant, offers in self._variants:
            text = _Text(variant)
            for path, there in self._fields.items():
                allowed = offers.at(path)
                if allowed is not None:
                    self._report_schema(variant, path, there, allowed, found)
                elif not there.free:
                    self._report_text(variant, path, there, text, found)

    def _report_schema(
        self, variant: Variant, path: Path, there: _Field, allowed: Sequence[Json], found: Diagnostics
    ) -> None:
        def hint(value: _Expected) -> str:
            near = next(
                (item for item in allowed for option in value.wanted.options if _folded(item) == _folded(option)), None
            )
            if near is not None:
                return f"the schema has {quoted(near)}, and answers are compared letter by letter"
            return "add it to the prompt's output schema, or mend the case"

        missing = [
            value
            for value in there.values.values()
            if not any(same(option, item) for option in value.wanted.options for item in allowed)
        ]
        offered = f"the output schema of {variant.label} allows only {_some(allowed)}"
        _warn(path, missing, offered, hint, found)

    def _report_text(self, variant: Variant, path: Path, there: _Field, text: _Text, found: Diagnostics) -> None:
        values = {value.wanted.options[0]: value for value in there.values.values() if len(value.wanted.options) == 1}
        labels = [label for label in values if isinstance(label, str)]
        if len(labels) < 3:
            return
        offered = listed(text.asked, labels)
        repeated = sum(values[label].cases for label in labels) > len(labels)
        if len(offered) < 2 or 3 * len(offered) < 2 * len(labels) or not (repeated or len(offered) >= _LONG_LIST):
            return
        missing = [
            values[label] for label in labels if not text.has(label) and values[label].given < values[label].cases
        ]

        def hint(value: _Expected) -> str:
            near = text.near(value.wanted.options[0])
            if near is not None:
                return f"the prompt has {quoted(near)}, and answers are compared letter by letter"
            return "name it in the prompt, or mend the case"

        _warn(path, missing, f"{variant.label} lists only {_some(offered)}", hint, found)


class _Text:
    """What a prompt says. `asked` is its part without examples of answers."""

    def __init__(self, variant: Variant) -> None:
        prompt = variant.prompt
        defaults = " ".join(
            value if isinstance(value, str) else json.dumps(value) for value in prompt.defaults.values()
        )
        self.asked = f"{static_text(prompt, ('system', 'user'))}\n\0\n{defaults}"
        self._all = f"{static_text(prompt)}\n{defaults}\n{canonical(prompt.output_schema)}"

    def has(self, label: str) -> bool:
        """Whether it names the label; with a capital only where a sentence or a line starts."""
        if re.search(rf"(?<!\w){re.escape(label)}(?!\w)", self._all):
            return True
        capital = label[:1].upper() + label[1:]
        return bool(re.search(rf"(?:\A|[.!?:\n\0*•-])\s*{re.escape(capital)}(?!\w)", self._all))

    def near(self, label: str) -> str | None:
        """How it writes what differs from the label in case, blanks, dashes and underscores only."""
        words = r"[\s_-]*".join(map(re.escape, re.split(r"[\s_-]+", label)))
        match = re.search(rf"(?<!\w){words}(?!\w)", self._all, re.IGNORECASE)
        return match[0] if match else None


def _warn(
    path: Path, missing: Sequence[_Expected], offered: str, hint: Callable[[_Expected], str], found: Diagnostics
) -> None:
    """One warning a value, and one for all beyond the first."""
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


def _wanted(case: Case) -> Iterator[_Wanted]:
    if case.has_expect:
        yield from _compared(case.expect, case.where, ("expect",))
    if case.has_wish:
        yield from _leaves(case.should_be, case.where, ("should_be",))
    for spec in case.checks:
        name = field_name(spec.name)
        if name in ("equals", "expect"):
            yield from _compared(spec.argument, spec.where, ())
        elif name == "one_of" and isinstance(spec.argument, list):
            options = tuple(item for item in spec.argument if not isinstance(item, list | dict))
            yield _Wanted((), options, spec.where, ())
        elif name == "intent":
            yield from _intent(spec)


def _intent(spec: CheckSpec) -> Iterator[_Wanted]:
    """The label that a case's own check `intent` names, where it stands under plain names."""
    given = spec.argument if isinstance(spec.argument, dict) else {"is": spec.argument}
    label, location = given.get("is"), str(given.get("at", ""))
    if isinstance(label, str) and label.strip() and "[" not in location:
        steps = ("is",) if isinstance(spec.argument, dict) else ()
        yield _Wanted(tuple(filter(None, location.split("."))), (label.strip(),), spec.where, steps)


def _compared(argument: Json, root: Where, steps: tuple[str | int, ...]) -> Iterator[_Wanted]:
    """What a comparison letter by letter wants; one that ignores something can be met by other spellings."""
    try:
        value, ignored = comparison(argument)
    except ValueError:
        return
    if ignored is None:
        yield from _leaves(value, root, steps)


def _leaves(value: Json, root: Where, steps: tuple[str | int, ...], path: Path = ()) -> Iterator[_Wanted]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, root, (*steps, key), (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, root, (*steps, index), (*path, ANY_ITEM))
    elif not path and isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):  # a text that only starts like JSON is nobody's label
            yield from _leaves(json.loads(value), root, steps)
    else:
        yield _Wanted(path, (value.strip() if isinstance(value, str) else value,), root, steps)


def _is_label(value: Json) -> bool:
    """Whether a value may be one of a list; what is no text always may."""
    return not isinstance(value, str) or (0 < len(value) <= _LABEL_CHARACTERS and value.count(" ") < _LABEL_WORDS)


def _folded(value: Json) -> str:
    return re.sub(r"[\s_-]+", " ", str(value)).casefold()


def _some(values: Sequence[Json]) -> str:
    shown = ", ".join(map(quoted, values[:_SHOWN]))
    return f"{shown} and {len(values) - _SHOWN} more" if len(values) > _SHOWN else shown
