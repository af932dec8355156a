"""A provider's table in the settings, read without surprises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

from promptbench.core.diagnostics import Code, did_you_mean
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


def text(options: Mapping[str, Json], name: str) -> str:
    """The option as text without outer blanks; empty when it is not there or no text."""
    value = options.get(name)
    return value.strip() if isinstance(value, str) else ""


def named(options: Mapping[str, Json], group: str, name: str) -> Mapping[str, Json] | None:
    """The table of one named thing, such as a server, over the provider's own options; None when there is none."""
    tables = options.get(group)
    table = tables.get(name) if isinstance(tables, dict) else None
    return {**options, **table} if isinstance(table, dict) else None


def unknown_name(provider: str, options: Mapping[str, Json], group: str, name: str, example: str) -> Problem:
    """That the settings have no table of this name, with the nearest one or the lines to write."""
    tables = options.get(group)
    meant = did_you_mean(name, tables) if isinstance(tables, dict) else None
    header = f"[tool.promptbench.providers.{provider}.{group}.{name}]"
    return Problem(
        Code.UNKNOWN_MODEL.name,
        f"the settings have no {provider} {group.removesuffix('s')} '{name}'",
        f"did you mean '{meant}'?" if meant else f"write {header} and under it {example}",
    )


def boolean_problems(options: Mapping[str, Json], provider: str, names: tuple[str, ...]) -> list[Problem]:
    return [
        Problem(
            Code.SETTINGS.name,
            f"the setting '{name}' of {provider} must be true or false, and is {options[name]!r}",
            f"write it as {name} = true",
        )
        for name in names
        if name in options and not isinstance(options[name], bool)
    ]
