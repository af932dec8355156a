"""What the model was given: the values of a case's variables, all of them or those that a check names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from promptbench.checks._words import quoted, texts
from promptbench.core.types import Json


def named(value: Json) -> tuple[str, ...]:
    """The option `in`: names of variables; none stands for all. Raises ValueError."""
    return () if value is None else tuple(texts(value))


def given(variables: Mapping[str, Json], names: Sequence[str]) -> tuple[list[Json], str | None]:
    """The values that are looked into, and why there are none."""
    missing = [name for name in names if name not in variables]
    if missing:
        return [], f"the case has no value {', '.join(map(quoted, missing))} to look into"
    return [variables[name] for name in names or variables], None


def strings(value: Json) -> Iterator[str]:
    """Every text and number in plain data, however deep."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(reversed(item.values()))
        elif isinstance(item, list):
            waiting.extend(reversed(item))
        elif item is not None and not isinstance(item, bool):
            yield str(item)
