"""What the model was given: all variables of a case, or those that a check names."""

from collections.abc import Iterator, Mapping, Sequence

from promptbench.checks import _options
from promptbench.checks._scores import quoted
from promptbench.plugins import Json


def named(value: Json) -> tuple[str, ...]:
    """Return the option `in`: names of variables, or none for all. Raises ValueError."""
    return () if value is None else tuple(_options.texts(value))


def given(variables: Mapping[str, Json], names: Sequence[str]) -> tuple[list[Json], str | None]:
    """Return the values to search, or the problem."""
    missing = [name for name in names if name not in variables]
    if missing:
        return [], f"the case has no value {', '.join(map(quoted, missing))}"
    return [variables[name] for name in names or variables], None


def strings(value: Json) -> Iterator[str]:
    """Yield every text and number in plain data, at any depth."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(reversed(item.values()))
        elif isinstance(item, list):
            waiting.extend(reversed(item))
        elif item is not None and not isinstance(item, bool):
            yield str(item)
