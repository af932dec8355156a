"""Time calls that are made on a schedule, or a fixed number at once.

A call that is due is sent at once, however many are in flight, and its latency counts from the time it was due. A
server that stalls delays all calls that arrive meanwhile; a client that waits with it would not measure that
(coordinated omission).
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from random import Random

from promptbench.core.events import CallMeasured, Listener
from promptbench.core.types import MeasuredCall, Request
from promptbench.engine.runner import CallPlan, Engine
from promptbench.gateway import Reply


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


Keep = Callable[[Sequence[MeasuredCall]], None]
_COMMIT_SECONDS = 1.0  # between two commits: one per call would delay the next call
_QUEUE = ""  # one for all models


@dataclass(frozen=True, slots=True)
class ModelRequests:
    """A model, and the requests that it gets in turn, each with its case's name."""

    model: str
    requests: Sequence[tuple[str, Request]]

    def request(self, number: int) -> tuple[str, Request]:
        """Return the case and the request of a call. When a case comes again, it is a repeat."""
        repeat, position = divmod(number, len(self.requests))
        case, request = self.requests[position]
        return case, replace(request, repeat=repeat)


class Measurement:
    """One measurement, as the work of an engine. `keep` stores the calls that have ended, in batches."""

    def __init__(self, engine: Engine, models: Sequence[ModelRequests], keep: Keep, listen: Listener) -> None:
        self._engine = engine
        self._models = models
        self._keep = keep
        self._listen = listen
        self._uncommitted: list[MeasuredCall] = []
        self._began: float | None = None
        self._committed = 0.0

    def measure(self, load: Load, schedule: Iterator[Due], warm_up: int) -> None:
        """Make the calls of a schedule, after `warm_up` calls to each model that open connections and load weights."""
        warming = (Due(model, number) for number in range(warm_up) for model in range(len(self._models)))
        self._engine.run(self._open(warming), self, {_QUEUE: 1})
        began = self._began = time.perf_counter()
        try:
            self._engine.run(
                self._open(schedule),
                self,
                {_QUEUE: load.concurrency},
                (lambda item: began + (item.at or 0.0)) if load.open else None,
            )
        finally:
            self._commit()

    def queue(self, task: Due) -> str:
        return _QUEUE

    async def begin(self, task: Due) -> CallPlan | None:
        return CallPlan(self._models[task.model].request(task.number)[1])

    async def finish(self, task: Due, plan: CallPlan, reply: Reply | None) -> None:
        if reply is None or self._began is None:
            return
        due = plan.began if task.at is None else self._began + task.at
        late, latency = ((moment - due) * 1000 for moment in (plan.began, time.perf_counter()))
        self._uncommitted.append(
            _measured(
                task,
                self._models[task.model],
                plan,
                reply,
                (due - self._began) * 1000,
                late,
                latency,
            )
        )
        self._listen(CallMeasured(errored=reply.answer is None, cost=reply.cost))
        if time.perf_counter() - self._committed >= _COMMIT_SECONDS:
            self._commit()
        elif len(self._uncommitted) == 1:
            # In case no other call ends soon.
            asyncio.get_running_loop().call_later(_COMMIT_SECONDS, self._commit)

    def _open(self, schedule: Iterable[Due]) -> Iterator[Due]:
        return (due for due in schedule if str(self._models[due.model].request(0)[1].model) not in self._engine.down)

    def _commit(self) -> None:
        if self._uncommitted:
            self._keep(self._uncommitted)
            self._uncommitted, self._committed = [], time.perf_counter()


def _measured(
    task: Due, asked: ModelRequests, plan: CallPlan, reply: Reply, due: float, late: float, latency: float
) -> MeasuredCall:
    answer = reply.answer
    return MeasuredCall(
        model=asked.model,
        number=task.number,
        case=asked.request(task.number)[0],
        due_ms=due,
        late_ms=late,
        latency_ms=latency,
        queue_ms=late + reply.queue_ms,
        tries=reply.tries,
        provider_ms=answer.provider_ms if answer else None,
        connect_ms=answer.connect_ms if answer else None,
        first_byte_ms=answer.first_byte_ms if answer else None,
        first_token_ms=answer.first_token_ms if answer else None,
        usage=answer.usage if answer else None,
        cost=reply.cost,
        error=reply.failure.message if reply.failure and answer is None else None,
    )
