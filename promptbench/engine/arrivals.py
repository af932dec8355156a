"""Schedule the calls of a measurement. Models take turns, so that a change in the network or on this machine affects
all of them alike.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from random import Random


class Arrivals(StrEnum):
    """When a call is due: after another one has ended (closed), or at a time of its own (the others)."""

    CLOSED = "closed"
    CONSTANT = "constant"
    POISSON = "poisson"


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` is in calls per second to each model; `concurrency` is the number of calls at once to all models together,
    for closed arrivals.
    """

    arrivals: Arrivals = Arrivals.CLOSED
    rate: float = 1.0
    concurrency: int = 1

    @property
    def open(self) -> bool:
        return self.arrivals is not Arrivals.CLOSED


@dataclass(frozen=True, slots=True)
class Due:
    """One call: the index of its model, its number among the calls to that model, and the seconds from the start at
    which it is due; None if it is due when an earlier call has ended.
    """

    model: int
    number: int
    at: float | None = None


def schedule(load: Load, models: int, calls: int, random: Random) -> Iterator[Due]:
    """Yield all calls in the order in which they are due, `calls` to each model.

    Closed arrivals come in rounds of one call to each model, in random order. Constant arrivals of the models are
    evenly interleaved; Poisson arrivals are drawn for each model.
    """
    if load.arrivals is Arrivals.CLOSED:
        for number in range(calls):
            for model in random.sample(range(models), models):
                yield Due(model, number)
        return
    if load.arrivals is Arrivals.CONSTANT:
        ways = [[(number + model / models) / load.rate for number in range(calls)] for model in range(models)]
    else:
        ways = [list(accumulate(random.expovariate(load.rate) for _ in range(calls))) for _ in range(models)]
    merged = heapq.merge(*([(at, model, number) for number, at in enumerate(way)] for model, way in enumerate(ways)))
    yield from (Due(model, number, at) for at, model, number in merged)
