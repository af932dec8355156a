"""A provider's table in the settings, read without surprises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

from promptbench.core.diagnostics import Code
from promptbench.core.protocols import Problem
from promptbench.core.types import Json


def is_positive(value: Json) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def positive_number(options: Mapping[str, Json], name: str, default: float) -> float:
    """The option as a number; the default also when it is wrong, which `number_problems` has told."""
    value = options.get(name)
    return float(value) if is_positive(value) else default


def positive_integer(options: Mapping[str, Json], name: str, default: int) -> int:
    return max(1, int(positive_number(options, name, default)))


def number_problems(options: Mapping[str, Json], provider: str, names: tuple[str, ...]) -> list[Problem]:
    return [
        Problem(
            Code.SETTINGS.name,
            f"the setting '{name}' of {provider} must be a number above 0, and is {options[name]!r}",
            f"write it as {name} = 30",
        )
        for name in names
        if name in options and not is_positive(options[name])
    ]
