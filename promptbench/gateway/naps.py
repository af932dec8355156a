"""Waiting that can be cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Naps:
    """Everybody who waits for time to pass; `wake` ends the waiting of all of them at once."""

    def __init__(self, sleep: Callable[[float], Awaitable[object]]) -> None:
        self._sleep = sleep
        self._asleep: set[asyncio.Future[object]] = set()

    async def take(self, seconds: float) -> None:
        """Returns after so many seconds, or when woken."""
        nap = asyncio.ensure_future(self._sleep(seconds))
        self._asleep.add(nap)
        try:
            await nap
        except asyncio.CancelledError:
            # Of the nap only, when it was woken; of whoever sleeps, when that task itself is cancelled.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        finally:
            self._asleep.discard(nap)

    def wake(self) -> None:
        for nap in list(self._asleep):
            nap.cancel()
