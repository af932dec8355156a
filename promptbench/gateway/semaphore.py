"""A semaphore whose size may change while it is in use, and that admits a few tasks at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from types import TracebackType

PER_TURN = 4  # tasks admitted in one turn of the event loop: few enough to spread, enough to be handled together


class ResizableSemaphore:
    """First come, first served. Shrinking does not evict the tasks inside.

    Only a few tasks enter in each turn of the event loop. Requests that are made in the same turn are written in the
    same later turn, answered together and handled together, for ever after: the provider idles while this process
    works, and the other way round. A few per turn spread out.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._entered = 0  # in this turn of the loop

    def resize(self, size: int) -> None:
        self._size = size
        self._admit()

    async def __aenter__(self) -> None:
        if self._inside < self._size and not self._waiting and self._entered < PER_TURN:
            self._enter()
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                with contextlib.suppress(ValueError):
                    self._waiting.remove(waiter)
            else:
                self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _enter(self) -> None:
        self._inside += 1
        self._entered += 1
        if self._entered == 1:
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._entered = 0
        self._admit()

    def _leave(self) -> None:
        self._inside -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._inside < self._size and self._entered < PER_TURN:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._enter()
                waiter.set_result(None)
