"""Run blocking calls in a daemon thread, so that Ctrl-C ends the program while one of them is busy.

`concurrent.futures.ThreadPoolExecutor` joins its threads when the interpreter exits, so it waits for the slowest call.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_PATIENCE_SECONDS = 3.0


class Worker:
    """One thread, started on first use, that runs calls one after the other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, call: Callable[[], Result]) -> Result:
        """Return the result of `call()`, or raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def job() -> None:
            if future.cancelled():
                return
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - otherwise the caller would wait for ever
                _post(loop, future, future.set_exception, error)
            else:
                _post(loop, future, future.set_result, result)

        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put(job)
        return await future

    async def close(self, last: Callable[[], None]) -> None:
        """Run `last()` in the thread and end it. A call that stays busy for 3 s is left to end with the process."""
        if self._thread is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self.run(last)
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _post(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Result], setter: Callable[..., None], value: object
) -> None:
    def settle() -> None:
        if not future.done():
            setter(value)

    # If the program was interrupted meanwhile, the loop is closed and nobody waits for the result.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(settle)
