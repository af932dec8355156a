"""The events of a run. The engine emits them; the terminal and tests listen."""

from collections.abc import Callable
from dataclasses import dataclass

from promptbench.core.types import Attempt


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run of `total` attempts has started; `kept` of them are on record from an interrupted run."""

    run: str
    suite: str
    total: int
    kept: int


@dataclass(frozen=True, slots=True)
class AttemptDone:
    """An attempt was committed to the record."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class MoreWanted:
    """The gate needs `count` further attempts."""

    count: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A message for the user, such as a long retry or a model that is disabled for this run."""

    text: str


@dataclass(frozen=True, slots=True)
class CallMeasured:
    """A call of a benchmark has ended. `cost` is in US dollars; None is unknown."""

    errored: bool
    cost: float | None


Event = RunStarted | AttemptDone | MoreWanted | CallMeasured | Notice
Listener = Callable[[Event], None]
