"""Filter logged calls: `--failed-only`, `--since`, `--model`, `--where`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from promptbench.core.types import FailureTier, Json, LoggedCall

_AGO = re.compile(r"(\d+) ?(m|h|d|w)", re.IGNORECASE)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_CONDITION = re.compile(r"\s*([^\s=!<>~]+)\s*(!=|>=|<=|=|>|<|~)\s*(.*?)\s*", re.DOTALL)
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a field of a call, or of its raw record, with a value.

    `path` has the keys that lead to the field. If a value on the way is a list, one matching item is enough. A missing
    field only satisfies `!=`.
    """

    path: tuple[str, ...]
    comparison: str
    value: str

    @classmethod
    def parse(cls, written: str) -> Condition:
        """Parse a condition such as `metadata.customer=acme`. Raise ValueError if it is invalid."""
        found = _CONDITION.fullmatch(written)
        if found is None:
            raise ValueError("expected a comparison such as metadata.customer=acme")
        if found[2] in _ORDERS and _number(found[3]) is None:
            raise ValueError(f"{found[2]} compares numbers, got {found[3]!r}")
        return cls(tuple(found[1].split(".")), found[2], found[3])

    def holds(self, call: LoggedCall) -> bool:
        values = list(_values(call, self.path))
        if self.comparison == "!=":
            return not any(_equal(value, self.value) for value in values)
        if self.comparison == "=":
            return any(_equal(value, self.value) for value in values)
        if self.comparison == "~":
            return any(self.value.lower() in str(value).lower() for value in values)
        limit, order = _number(self.value) or 0.0, _ORDERS[self.comparison]
        return any(order(number, limit) for value in values if (number := _number(value)) is not None)


@dataclass(frozen=True, slots=True)
class CallFilter:
    """A filter in which everything that is set must match. `models` are patterns with *; `since` is in UTC."""

    failed: bool = False
    tiers: frozenset[FailureTier] = frozenset()
    since: datetime | None = None
    models: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = field(default=())

    def matches(self, call: LoggedCall) -> bool:
        """Return whether a call passes the filter. A call without a time never passes `since`."""
        names = (call.model, call.model.rpartition("/")[2])
        return (
            (not self.failed or call.tier is not None)
            and (not self.tiers or call.tier in self.tiers)
            and (self.since is None or _since(call.time, self.since))
            and (not self.models or any(fnmatchcase(name, each) for name in names for each in self.models))
            and all(condition.holds(call) for condition in self.conditions)
        )

    def __bool__(self) -> bool:
        """Return whether anything is set."""
        return bool(self.failed or self.tiers or self.since or self.models or self.conditions)


def parse_since(written: str, now: datetime | None = None) -> datetime:
    """Parse a date, a time or an age: `2026-11-01`, `2026-11-01T12:00`, `7d`, `24h`. Raise ValueError if invalid."""
    if ago := _AGO.fullmatch(written.strip()):
        try:
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])})
        except OverflowError:
            raise ValueError(f"{written} is before the first date of the calendar") from None
    found = datetime.fromisoformat(written.strip())
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _since(time: str | None, limit: datetime) -> bool:
    try:
        return time is not None and parse_since(time) >= limit
    except ValueError:
        return False


def _values(call: LoggedCall, path: tuple[str, ...]) -> Iterator[Json]:
    first, *rest = path
    name = "variables" if first == "vars" else first
    if name in LoggedCall.__dataclass_fields__ and name not in ("raw", "extra"):
        yield from _inside(getattr(call, name), rest)
        return
    found = list(_inside(call.extra, path))
    yield from found or _inside(call.raw, path)


def _inside(value: Json, path: list[str] | tuple[str, ...]) -> Iterator[Json]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _inside(item, path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        # A key may hold dots itself.
        if ".".join(path) in value:
            yield from _inside(value[".".join(path)], ())
        elif path[0] in value:
            yield from _inside(value[path[0]], path[1:])
    elif hasattr(value, path[0]) and not path[0].startswith("_"):
        yield from _inside(getattr(value, path[0]), path[1:])


def _equal(value: Json, written: str) -> bool:
    if isinstance(value, bool):
        return written.lower() == str(value).lower()
    if isinstance(value, int | float):
        return _number(written) == value
    return str(value) == written


def _number(value: Json) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
