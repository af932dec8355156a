"""What happens during a run, for whoever shows it. The engine emits; the terminal and tests listen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptbench.core.types import Attempt


@dataclass(frozen=True, slots=True)
class RunStarted:
    """`total` attempts are wanted, `kept` of them are on record from an interrupted run."""

    run: str
    suite: str
    total: int
    kept: int


@dataclass(frozen=True, slots=True)
class AttemptDone:
    """An attempt that is on record, that is: committed."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class MoreWanted:
    """The gate asks for `count` further attempts."""

    count: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know now: a retry that waits long, a model that is given up."""

    text: str


@dataclass(frozen=True, slots=True)
class CallMeasured:
    """A call of a measurement has ended."""

    errored: bool


Event = RunStarted | AttemptDone | MoreWanted | CallMeasured | Notice
Listener = Callable[[Event], None]
