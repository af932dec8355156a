"""Paths of values in JSON answers, `order.items[0].sku`, and the option `at` of every check, which looks at them.

A step is a field's name; `[0]` or `.0` for an item, counted from 0; `[-1]` for the last item; or `[*]` for every item,
which gives a list. A name with a dot, a bracket or a space at its end is put in brackets and quotes:
`prices['1.5 kg']`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

from promptbench.checks._scores import mismatch, quoted, readable
from promptbench.core.canonical import canonical
from promptbench.parsing.json_text import MOST_CHARACTERS, read
from promptbench.plugins import Check, Json, Reading, Rung, Score, Subject

_STEP = re.compile(
    r"""(?P<dot>\.)?(?:\[\s*+(?P<index>-?[0-9]{1,9})\s*+\]|\[(?P<every>\*)\]"""
    r"""|\[(?P<quote>["'])(?P<key>.*?)(?P=quote)\]|(?P<name>[^.\[\]]+))""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Path:
    """A path as its author wrote it, and its steps: a field's name, an index, or None for every item."""

    written: str
    steps: tuple[str | int | None, ...]

    def find(self, value: Json) -> Json:
        """Return the value at this path. Raises LookupError with a reason such as `order.items is missing`."""
        return _find(value, self.steps, 0)


def _find(value: Json, steps: tuple[str | int | None, ...], at: int) -> Json:
    for number in range(at, len(steps)):
        step = steps[number]
        if step is None:
            if not isinstance(value, list):
                raise LookupError(mismatch(_shown(steps[:number]), "a list", quoted(value)))
            found = [_find(item, steps, number + 1) for item in value]
            return [item for items in found for item in items] if None in steps[number + 1 :] else found
        try:
            value = _child(value, step)
        except LookupError:
            raise LookupError(f"{_shown(steps[: number + 1])} is missing") from None
    return value


def _child(value: Json, step: str | int) -> Json:
    if isinstance(value, dict):
        return value[str(step)]
    digits = str(step)
    if (
        isinstance(value, list)
        and (isinstance(step, int) or (digits.isascii() and digits.isdigit()))
        and len(digits) < 11
    ):
        return value[int(digits)]
    raise LookupError


def _shown(steps: tuple[str | int | None, ...]) -> str:
    parts = [f"[{'*' if step is None else step}]" if not isinstance(step, str) else f".{step}" for step in steps]
    return "".join(parts).removeprefix(".")


def parse(written: Json) -> Path:
    """Return a path. Raises ValueError if it is invalid."""
    text = str(written).strip() if isinstance(written, (str, int)) and not isinstance(written, bool) else ""
    steps: list[str | int | None] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        # Every name but the first has a dot before it.
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
    """Return the option `at`, or None without it. Raises ValueError."""
    return None if written is None else parse(written)


def value_at(subject: Subject, path: Path) -> tuple[Json, str | None]:
    """Return the value at `path` of the answer read as JSON, or the problem."""
    reading, problem = readable(subject)
    if problem:
        return None, problem
    try:
        return path.find(reading.value), None
    except LookupError as error:
        return None, str(error.args[0])


def text_at(subject: Subject, path: Path | None) -> tuple[str, str | None]:
    """Return the answer's text, or the text or number at a path in it, or the problem.

    A text longer than what is read as JSON is not searched.
    """
    if path is None:
        if len(subject.text) > MOST_CHARACTERS:
            return "", f"the answer is too long: more than {MOST_CHARACTERS:,} characters"
        return subject.text.strip(), None
    value, problem = value_at(subject, path)
    if problem:
        return "", problem
    if isinstance(value, (dict, list)):
        return "", mismatch(path.written, "a text", quoted(value))
    if isinstance(value, str):
        return value.strip(), None
    return quoted(value) if value is None or isinstance(value, bool) else str(value), None


@dataclass(frozen=True, slots=True)
class At:
    """A check of the value at `path`. If the path has `[*]`, each value must pass, and the score is their mean."""

    name: str
    path: Path
    check: Check

    def score(self, subject: Subject) -> Score:
        found, problem = subjects_at(subject, self.path)
        if problem is not None:
            return Score(self.name, False, 0.0, problem)
        scores = [self.check.score(inner) for inner in found]
        failed = next((number for number, score in enumerate(scores) if not score.passed), None)
        if failed is None:
            return replace(scores[0], value=fmean(score.value for score in scores))
        item = f" (value {failed + 1} of {len(scores)})" if len(scores) > 1 else ""
        reason = f"{self.path.written}{item}: {scores[failed].reason}"
        return replace(scores[failed], value=fmean(score.value for score in scores), reason=reason)


def subjects_at(subject: Subject, path: Path) -> tuple[list[Subject], str | None]:
    """Return the answer's value at a path as a subject, or several for `[*]`, or the problem if there is none."""
    value, problem = value_at(subject, path)
    if problem is not None:
        return [], problem
    values = value if None in path.steps and isinstance(value, list) else [value]
    return list(_subjects(subject, values)), None if values else f"{path.written} has no values"


def _subjects(subject: Subject, values: list[Json]) -> Iterator[Subject]:
    for value in values:
        # A text may itself be JSON. How it is written is not the format of the answer, so it is not reported.
        if isinstance(value, str):
            yield replace(subject, text=value, read=partial(read, value), report_reading=None)
        else:
            yield replace(subject, text=canonical(value), read=partial(Reading, Rung.RAW, value), report_reading=None)
