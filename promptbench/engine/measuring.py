"""Asks at set times, or so many at once, and takes the times of each call.

A call that is due is sent at once, however many are still under way, and what it waits for counts: a server that stalls
makes all that arrive meanwhile wait, and a client that waits with it would measure none of that (coordinated omission).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from promptbench.core.events import CallMeasured, Listener
from promptbench.core.measured import MeasuredCall
from promptbench.core.types import Request
from promptbench.engine import leaving
from promptbench.engine.arrivals import Due, Load
from promptbench.gateway import BudgetReached, Gateway, ModelDown, Reply, Stopped

Keep = Callable[[Sequence[MeasuredCall]], None]
_EVERY = 1.0
"""Seconds between two commits: one for each call would be in the way of the next."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A model and the requests that it is asked in turns, each with its case's name."""

    model: str
    requests: Sequence[tuple[str, Request]]

    def request(self, number: int) -> tuple[str, Request]:
        """The case and the request of a call; a case that comes again is a repeat."""
        again, place = divmod(number, len(self.requests))
        case, request = self.requests[place]
        return case, replace(request, repeat=again)


class Measuring:
    """One measurement. `keep` gets the calls that have ended, a batch now and then, and must put them on record."""

    def __init__(self, gateway: Gateway, asked: Sequence[Asked], keep: Keep, listen: Listener) -> None:
        self._gateway = gateway
        self._asked = asked
        self._keep = keep
        self._listen = listen
        self._waiting: list[MeasuredCall] = []
        self._began = 0.0
        self._halt = asyncio.Event()
        """Wakes who waits for the next call to be due."""
        self.down: dict[str, str] = {}
        """Models that were given up, and why."""
        self.spent: str | None = None
        """What part of the budget is used up, if one is."""
        self.stopped = False

    @property
    def halted(self) -> bool:
        return self.stopped or self.spent is not None or len(self.down) == len(self._asked)

    def stop(self) -> None:
        """Asks nothing more; what is in flight is still awaited and kept."""
        self.stopped = True
        self._halt.set()
        self._gateway.stop()

    async def work(self, load: Load, schedule: Iterable[Due], warm_up: int) -> None:
        """Makes the calls of a schedule, after `warm_up` calls to each model that are counted nowhere: they open
        connections and load weights.
        """
        with leaving.interruptible(self, self._listen):
            for number in range(warm_up):
                for asked in self._asked:
                    if not self.halted and asked.model not in self.down:
                        await self._reply(asked.model, asked.request(number)[1])
            self._began = time.perf_counter()
            try:
                async with asyncio.TaskGroup() as group:
                    committing = group.create_task(self._commit_now_and_then())
                    try:
                        await self._all(load, schedule)
                    finally:
                        committing.cancel()
            finally:
                self._commit()

    async def _all(self, load: Load, schedule: Iterable[Due]) -> None:
        async with asyncio.TaskGroup() as group:
            if load.open:
                await self._open(group, schedule)
            else:
                left = iter(schedule)
                for _ in range(load.concurrency):
                    group.create_task(self._worker(left))

    async def _open(self, group: asyncio.TaskGroup, schedule: Iterable[Due]) -> None:
        for due in schedule:
            assert due.at is not None
            if (wait := self._began + due.at - time.perf_counter()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._halt.wait()
            if self.halted:
                return
            group.create_task(self._call(due, self._began + due.at))

    async def _worker(self, schedule: Iterator[Due]) -> None:
        for due in schedule:
            if self.halted:
                return
            await self._call(due, time.perf_counter())

    async def _call(self, due: Due, at: float) -> None:
        asked = self._asked[due.model]
        if asked.model in self.down:
            return
        case, request = asked.request(due.number)
        late = (time.perf_counter() - at) * 1000
        reply = await self._reply(asked.model, request)
        if reply is None:
            return
        latency = (time.perf_counter() - at) * 1000
        self._waiting.append(_measured(due, case, request, reply, (at - self._began) * 1000, late, latency))
        self._listen(CallMeasured(errored=reply.answer is None))

    async def _reply(self, model: str, request: Request) -> Reply | None:
        """What becomes of a request; None when that is nothing to keep."""
        try:
            return await self._gateway.ask(request)
        except ModelDown as error:
            self.down.setdefault(model, error.message)
        except BudgetReached as error:
            self.spent = self.spent or error.message
            self._gateway.stop()
        except Stopped:
            pass
        if self.halted:
            self._halt.set()
        return None

    async def _commit_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            self._commit()

    def _commit(self) -> None:
        batch, self._waiting = self._waiting, []
        if batch:
            self._keep(batch)


def _measured(
    due: Due, case: str, request: Request, reply: Reply, at: float, late: float, latency: float
) -> MeasuredCall:
    answer = reply.answer
    return MeasuredCall(
        model=str(request.model),
        number=due.number,
        case=case,
        due_ms=at,
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
