"""Checks inside of a check."""

from __future__ import annotations

from collections.abc import Sequence

from promptbench.checks import plugins
from promptbench.checks._words import quoted
from promptbench.core.diagnostics import did_you_mean
from promptbench.core.protocols import Check, CheckContext, CheckModule, MissingExtra, Subject, is_judged
from promptbench.core.types import Json, Score

ONE: Json = {"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1}]}
SEVERAL: Json = {"type": "array", "items": ONE, "minItems": 1}


def nested(item: Json, context: CheckContext) -> Check:
    """The check that a name, or a name with its argument, stands for. Raises ValueError, or MissingExtra."""
    name, argument = _parts(item)
    if name not in plugins:
        known = [name.replace("_", " ") for name in plugins.names()]
        guess = did_you_mean(name, known)
        hint = f"did you mean '{guess}'?" if guess else f"known checks: {', '.join(known)}"
        raise ValueError(f"there is no check {quoted(name)}: {hint}")
    module: CheckModule = plugins.load(name)  # type: ignore[assignment]
    try:
        check = module.build(argument, context)
    except MissingExtra:
        raise
    except ValueError as error:
        raise ValueError(f"{quoted(name)[1:-1]}: {error}") from None
    if is_judged(check):
        # Whoever holds it could not tell an answer that nobody judged from one that fails.
        raise ValueError(f"{quoted(name)} asks a model, so it stands on a line of its own and not inside of a check")
    return check


def nested_list(argument: Json, context: CheckContext, example: str) -> tuple[Check, ...]:
    """Raises ValueError unless the argument is a list of checks."""
    if not isinstance(argument, list) or not argument:
        raise ValueError(f"give a list of checks, as in '{example}'")
    return tuple(nested(item, context) for item in argument)


def fingerprints(items: Json, context: CheckContext) -> Json:
    """The fingerprints of the checks inside, where one has any."""
    found = []
    for item in items if isinstance(items, list) else [items]:
        try:
            name, argument = _parts(item)
        except ValueError:
            continue
        own = getattr(plugins.load(name), "fingerprint", None) if name in plugins else None
        found.append(own(argument, context) if own else None)
    return found if any(value is not None for value in found) else None


def _parts(item: Json) -> tuple[str, Json]:
    """A check's name and its argument. Raises ValueError."""
    if isinstance(item, str):
        return item, None
    if isinstance(item, dict) and len(item) == 1:
        [(name, argument)] = item.items()
        return str(name), argument
    raise ValueError(f"{quoted(item)} is not a check: write one as 'contains: refund'")


def scores(checks: Sequence[Check], subject: Subject) -> list[Score]:
    return [check.score(subject) for check in checks]


def reasons(failed: Sequence[Score]) -> str:
    """What the first few say, each with its check's name."""
    return "; ".join(f"{score.check}: {score.reason}" for score in failed[:3])
