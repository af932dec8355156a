"""Sleeping that another task can cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class CancellableSleep:
    """A sleep for many tasks at once; `wake` ends all of them."""

    def __init__(self, sleep: Callable[[float], Awaitable[object]]) -> None:
        self._sleep = sleep
        self._sleeping: set[asyncio.Future[object]] = set()

    async def wait(self, seconds: float) -> None:
        """Return after this many seconds, or when woken."""
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        self._sleeping.add(sleeping)
        try:
            await sleeping
        except asyncio.CancelledError:
            # `wake` cancels only the sleep. If the task itself is being cancelled, it must not carry on.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        finally:
            self._sleeping.discard(sleeping)

    def wake(self) -> None:
        for sleeping in list(self._sleeping):
            sleeping.cancel()
