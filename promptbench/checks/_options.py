"""How a check's argument is read: one plain value, or a few named options."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from promptbench.checks._words import quoted
from promptbench.core.diagnostics import did_you_mean
from promptbench.core.types import Json

_YES = {"yes": True, "true": True, "no": False, "false": False}


def option_name(written: str) -> str:
    """`at_least`, `At-Least` and `at least` are one option."""
    return " ".join(written.lower().replace("_", " ").replace("-", " ").split())


def options(argument: Json, known: Sequence[str]) -> dict[str, Json]:
    """A mapping of options by their names with spaces. Raises ValueError for one that is not `known`."""
    if not isinstance(argument, dict):
        raise ValueError(f"give a value, or options: {', '.join(known)}")
    found: dict[str, Json] = {}
    for written, value in argument.items():
        name = option_name(str(written))
        if name not in known:
            guess = did_you_mean(name, known)
            meant = f"did you mean '{guess}'?" if guess else f"known are {', '.join(known)}"
            raise ValueError(f"there is no option {quoted(str(written))}: {meant}")
        if name in found:
            raise ValueError(f"the option '{name}' is given twice")
        found[name] = value
    return found


def comparison(argument: Json) -> tuple[Json, Json]:
    """What is expected, and what to ignore: an object with just the fields `is` and `ignore` is options, no answer."""
    if isinstance(argument, dict) and {option_name(str(key)) for key in argument} == {"is", "ignore"}:
        given = options(argument, ("is", "ignore"))
        return given["is"], given["ignore"]
    return argument, None


def value_or_options(argument: Json, plain: str, known: Sequence[str]) -> dict[str, Json]:
    """The options, where a plain value stands for the option `plain`."""
    return options(argument, known) if isinstance(argument, dict) else {plain: argument}


def decimal(value: Json, name: str) -> Decimal:
    """A number as it is written. Raises ValueError."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = Decimal(str(value).strip())
        except (InvalidOperation, ValueError):
            number = Decimal("nan")
        if number.is_finite() and (not number or abs(number.adjusted()) <= 300):
            return number
    raise ValueError(f"'{name}' is {quoted(value)}, not a number")


def share(value: Json, name: str) -> float:
    """A share of one, written as 0.8 or 80%. Raises ValueError."""
    percent = isinstance(value, str) and value.strip().endswith("%")
    number = decimal(value.strip()[:-1], name) / 100 if percent else decimal(value, name)
    if not 0 < number <= 1:
        raise ValueError(f"'{name}' is {quoted(value)}: write a share such as 0.8 or 80%")
    return float(number)


def count(value: Json, name: str) -> int:
    """A whole number that is not negative. Raises ValueError."""
    number = decimal(value, name)
    if number < 0 or number != number.to_integral_value() or number > 10**12:
        raise ValueError(f"'{name}' is {quoted(value)}, not a whole number")
    return int(number)


def text(value: Json, name: str) -> str:
    """A text with something in it. Raises ValueError."""
    if isinstance(value, (dict, list)) or value is None or not str(value).strip():
        raise ValueError(f"'{name}' must be a text")
    return str(value)


def yes(value: Json, name: str) -> bool:
    """yes or no, true or false. Raises ValueError."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _YES:
        return _YES[value.strip().lower()]
    raise ValueError(f"'{name}' is {quoted(value)}: write yes or no")


def choice(value: Json, name: str, known: Sequence[str]) -> str:
    """One of the `known` words. Raises ValueError."""
    word = option_name(str(value))
    if word not in known:
        guess = did_you_mean(word, known)
        meant = f"did you mean '{guess}'?" if guess else f"known are {', '.join(known)}"
        raise ValueError(f"'{name}' is {quoted(value)}: {meant}")
    return word
