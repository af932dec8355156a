"""Checks inside a check: `all of`, `any of` and `not`."""

from collections.abc import Iterator, Sequence

from promptbench.checks import _options, plugins
from promptbench.checks._options import suggestion
from promptbench.checks._scores import quoted
from promptbench.core.plugins import module_name
from promptbench.plugins import Check, CheckContext, Json, JudgedCheck, MissingExtra, Score

ONE: Json = {"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1}]}
SEVERAL: Json = {"type": "array", "items": ONE, "minItems": 1}
# Of `all of`: the checks, or options.
GROUP: Json = _options.schema(SEVERAL, required=["checks"], checks=SEVERAL, at_least=_options.AMOUNT)


def build_nested(item: Json, context: CheckContext) -> Check:
    """Return the check for a name, or a name with its argument. Raises ValueError, or MissingExtra."""
    name, argument = _parts(item)
    if name not in plugins:
        known = [name.replace("_", " ") for name in plugins.names()]
        raise ValueError(f"unknown check {quoted(name)}: {suggestion(name, known)}")
    try:
        check = plugins.load(name).build(argument, context)
    except MissingExtra:
        raise
    except ValueError as error:
        raise ValueError(f"{quoted(name)[1:-1]}: {error}") from None
    if isinstance(check, JudgedCheck):
        # The outer check could not tell an answer without a verdict from one that fails.
        raise ValueError(f"{quoted(name)} calls a model, so it needs a line of its own and cannot be inside a check")
    return check


def build_several(argument: Json, context: CheckContext, example: str) -> tuple[Check, ...]:
    """Return the checks for a list. Raises ValueError, or MissingExtra."""
    if not isinstance(argument, list) or not argument:
        raise ValueError(f"give a list of checks, as in '{example}'")
    return tuple(build_nested(item, context) for item in argument)


def fingerprints(argument: Json, context: CheckContext) -> Json:
    """Return the fingerprints of the checks inside, or None if there are none."""
    found = []
    for name, inner in _inside(argument):
        own = plugins.load(name).fingerprint if name in plugins else None
        found.append(own(inner, context) if own else None)
    return found if any(value is not None for value in found) else None


def with_nested(name: str, argument: Json) -> Iterator[tuple[str, Json]]:
    """Yield a check's name and argument, and those of the checks inside it."""
    yield name, argument
    if module_name(name) in ("all_of", "any_of", "not"):
        for inner in _inside(argument):
            yield from with_nested(*inner)


def _inside(argument: Json) -> Iterator[tuple[str, Json]]:
    argument = argument["checks"] if isinstance(argument, dict) and "checks" in argument else argument
    for item in argument if isinstance(argument, list) else [argument]:
        try:
            yield _parts(item)
        except ValueError:
            continue


def _parts(item: Json) -> tuple[str, Json]:
    if isinstance(item, str):
        return item, None
    if isinstance(item, dict) and len(item) == 1:
        [(name, argument)] = item.items()
        return str(name), argument
    raise ValueError(f"{quoted(item)} is not a check: write one as 'contains: refund'")


def reasons(failed: Sequence[Score]) -> str:
    """Return the reasons of the first few failed checks, each after its check's name."""
    return "; ".join(f"{score.check}: {score.reason}" for score in failed[:3])
