"""A semaphore whose width may change while it is in use."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from types import TracebackType


class Slots:
    """First come, first served. When it becomes narrower, those inside stay."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def set_width(self, width: int) -> None:
        self._width = width
        self._admit()

    async def __aenter__(self) -> None:
        if self._taken < self._width and not self._waiting:
            self._taken += 1
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

    def _leave(self) -> None:
        self._taken -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._taken < self._width:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._taken += 1
                waiter.set_result(None)
