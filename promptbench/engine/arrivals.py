"""When each call of a measurement is due, and which model it asks. Models take turns, so that what changes while it is
measured, on the way or at home, hits all of them alike.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from random import Random


class Arrivals(StrEnum):
    """What makes a call due. All but `closed` are open: no answer is waited for before the next call."""

    CLOSED = "closed"
    CONSTANT = "constant"
    POISSON = "poisson"
    TRACE = "trace"


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` is in calls a second for each model. `concurrency` is how many calls there are at once when the arrivals
    are `closed`, over all models. `trace` are seconds from the start, in order.
    """

    arrivals: Arrivals = Arrivals.CLOSED
    rate: float = 1.0
    concurrency: int = 1
    trace: Sequence[float] = ()

    @property
    def open(self) -> bool:
        return self.arrivals is not Arrivals.CLOSED


@dataclass(frozen=True, slots=True)
class Due:
    """One call: the model by its place in the list, its number among the calls to that model, and the seconds from the
    start at which it is due; None where it is due as soon as a call before it has ended.
    """

    model: int
    number: int
    at: float | None = None


def schedule(load: Load, models: int, calls: int, random: Random) -> Iterator[Due]:
    """All calls in the order in which they are due, `calls` to each model.

    In closed arrivals each round asks every model once, in an order drawn anew. In constant ones the models stand
    evenly between each other; Poisson ones are drawn for each model; with a trace all are asked at the same times, in
    an order drawn anew.
    """
    if load.arrivals in (Arrivals.CLOSED, Arrivals.TRACE):
        at = load.trace if load.arrivals is Arrivals.TRACE else None
        for number in range(calls if at is None else min(calls, len(at))):
            for model in random.sample(range(models), models):
                yield Due(model, number, None if at is None else at[number])
        return
    if load.arrivals is Arrivals.CONSTANT:
        ways = [[(number + model / models) / load.rate for number in range(calls)] for model in range(models)]
    else:
        ways = [list(accumulate(random.expovariate(load.rate) for _ in range(calls))) for _ in range(models)]
    merged = heapq.merge(*([(at, model, number) for number, at in enumerate(way)] for model, way in enumerate(ways)))
    yield from (Due(model, number, at) for at, model, number in merged)


def read_trace(text: str) -> list[float]:
    """The seconds of a trace: a number a line, of any clock in seconds. Raises ValueError with a sentence.

    Lines that are empty or begin with # are left out. The first arrival is at 0.
    """
    times: list[float] = []
    for number, line in enumerate(text.splitlines(), 1):
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        try:
            at = float(written)
        except ValueError:
            raise ValueError(f"line {number} is no number of seconds: {written[:40]!r}") from None
        if not at - at == 0:
            raise ValueError(f"line {number} is no moment: {written[:40]!r}")
        times.append(at)
    if not times:
        raise ValueError("there is no arrival in it")
    times.sort()
    return [at - times[0] for at in times]
