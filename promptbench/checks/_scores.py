"""Make scores, and compare and quote values in their reasons."""

from collections.abc import Callable, Sequence

from promptbench.core.words import mismatch, quoted
from promptbench.plugins import Json, Reading, Rung, Score, Subject

__all__ = ["first_of", "graded", "mismatch", "quoted", "readable", "same", "verdict"]

# A share such as 0.8 must be reached by 4 of 5, whatever the quotient is in binary.
_ROUNDING = 1e-9


def verdict(check: str, *problems: str | None) -> Score:
    """Return a passed score if there are no problems, else a failed one with the first three as its reason."""
    reasons = [problem for problem in problems if problem]
    return Score(check, not reasons, 0.0 if reasons else 1.0, "; ".join(reasons[:3]))


def graded(check: str, value: float, at_least: float, reason: str) -> Score:
    """Return a score of `value` in [0, 1] that passes from `at_least` on. `reason` is used only if it fails."""
    if value >= at_least - _ROUNDING:
        return Score(check, True, value)
    short = "" if at_least == 1 else f" (score {value:.2f}, needs {at_least:.2f})"
    return Score(check, False, value, reason + short)


def first_of(names: Sequence[str], most: int = 5) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def readable(subject: Subject, wants_string: Callable[[str], bool] | None = None) -> tuple[Reading, str | None]:
    """Return the answer as data, and the problem if it cannot be read at the suite's accept level.

    If `wants_string` is true of an answer that is a JSON string as a whole, it is that string, whatever it contains.
    """
    reading = subject.read()
    if reading.string is not None and wants_string is not None and wants_string(reading.string):
        reading = Reading(Rung.RAW, reading.string)
        if subject.report_reading:
            subject.report_reading(reading)
    if reading.rung.within(subject.accept):
        return reading, None
    if reading.error:
        return reading, f"not JSON: {reading.error}"
    repairs = ", ".join(sorted({repair.name for repair in reading.repairs}))
    return reading, f"only readable after repair ({repairs}), and the suite accepts '{subject.accept.value}'"


def same(expected: Json, got: Json) -> bool:
    """Return True if the values are equal as the author of a YAML file means it.

    A number equals a JSON number by value and a JSON text by the way it is written. Everything else is strict, so that
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
