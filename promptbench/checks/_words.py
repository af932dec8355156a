"""How checks quote and compare."""

from __future__ import annotations

from promptbench.core.protocols import Subject
from promptbench.core.types import Json, Reading, Score

_SHOWN = 80


def quoted(value: Json) -> str:
    """A value for a reason: short, on one line."""
    from promptbench.core.canonical import canonical

    text = f"'{value}'" if isinstance(value, str) else canonical(value)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def verdict(check: str, reasons: list[str]) -> Score:
    """Passed when there is no reason against it."""
    return Score(check, not reasons, 0.0 if reasons else 1.0, "; ".join(reasons[:3]))


def readable(subject: Subject) -> tuple[Reading, str | None]:
    """The answer as data, and why it does not count as readable at the suite's accept level."""
    reading = subject.read()
    if reading.rung.within(subject.accept):
        return reading, None
    if reading.error:
        return reading, f"not JSON: {reading.error}"
    repairs = ", ".join(sorted({repair.name for repair in reading.repairs}))
    return reading, f"only readable after repair ({repairs}), and the suite accepts '{subject.accept.value}'"


def same(expected: Json, got: Json) -> bool:
    """Equality as the author of a YAML file means it.

    A number equals a JSON number by value and a JSON text by the way it is written; everything else is strict, so that
    true is not 1 and "1" is not true.
    """
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, (int, float)):
        return str(expected) == got if isinstance(got, str) else isinstance(got, (int, float)) and expected == got
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(same(value, got[key]) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(same(one, other) for one, other in zip(expected, got, strict=True))
    return type(expected) is type(got) and bool(expected == got)


def differences(expected: Json, got: Json, path: str = "") -> list[str]:
    """What of the named fields in `expected` is not so in `got`; fields that are not named are free."""
    if not isinstance(expected, dict):
        if same(expected, got):
            return []
        return [f"{path or 'the answer'} is {quoted(got)}, not {quoted(expected)}"]
    if not isinstance(got, dict):
        return [f"{path or 'the answer'} is {quoted(got)}, not an object with {', '.join(map(str, expected))}"]
    found = []
    for key, value in expected.items():
        here = f"{path}.{key}" if path else key
        found += differences(value, got[key], here) if key in got else [f"{here} is missing"]
    return found


def texts(argument: Json) -> list[str]:
    """A text or a list of texts; numbers as they are written. Raises ValueError."""
    items = argument if isinstance(argument, list) else [argument]
    if not items or any(isinstance(item, (dict, list)) or item is None or item == "" for item in items):
        raise ValueError("give a text, or a list of texts")
    return [("true" if item else "false") if isinstance(item, bool) else str(item) for item in items]
