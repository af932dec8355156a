"""A semaphore whose width may change while it is in use, and that lets a few in at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from types import TracebackType

A_TURN = 4
"""How many come in during one turn of the event loop: few enough to spread, more than one to be handled at once."""


class Slots:
    """First come, first served, a few in each turn of the event loop. When it becomes narrower, those inside stay.

    Requests that are made in the same turn are written in the same later one, answered together and handled together,
    for ever: the provider idles while this process works, and the other way round. A few a turn spread.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._entered = 0
        """How many came in during this turn."""

    def set_width(self, width: int) -> None:
        self._width = width
        self._admit()

    async def __aenter__(self) -> None:
        if self._taken < self._width and not self._waiting and self._entered < A_TURN:
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
        self._taken += 1
        self._entered += 1
        if self._entered == 1:
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._entered = 0
        self._admit()

    def _leave(self) -> None:
        self._taken -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._taken < self._width and self._entered < A_TURN:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._enter()
                waiter.set_result(None)
