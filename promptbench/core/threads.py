"""Run blocking calls in daemon threads, so that Ctrl-C ends the program while one of them is busy.

`concurrent.futures.ThreadPoolExecutor` joins its threads when the interpreter exits, so it waits for the slowest call.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")

_PATIENCE_SECONDS = 3.0


class DaemonThreads(ThreadPoolExecutor):
    """An event loop's executor that never waits for its threads.

    The loop resolves host names in it, and a name server that does not answer would delay the exit by half a minute.
    """

    def submit(self, call: Callable[Given, Result], /, *args: Given.args, **more: Given.kwargs) -> Future[Result]:
        future: Future[Result] = Future()
        threading.Thread(target=_settle, args=(future, partial(call, *args, **more)), daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the threads running."""


class Worker:
    """One thread, started on first use, that runs calls one after the other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, call: Callable[[], Result]) -> Result:
        """Return the result of `call()`, or raise what it raises."""
        future: Future[Result] = Future()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put(partial(_settle, future, call))
        return await asyncio.wrap_future(future)

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


def _settle(future: Future[Result], call: Callable[[], Result]) -> None:
    """Give a future the result of `call()`, or its error, unless it was cancelled before."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it belongs to the caller that awaits the future
        future.set_exception(error)
    else:
        future.set_result(result)
