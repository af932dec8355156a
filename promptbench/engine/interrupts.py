"""Ctrl-C: the first press lets calls in flight finish, the second aborts. Threads are never joined."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


@contextmanager
def on_interrupt(stop: Callable[[], bool]) -> Iterator[None]:
    """Call `stop` on each Ctrl-C, in the loop's thread. Cancel the running task if `stop` returns False."""
    main = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def handle() -> None:
        if not stop() and main is not None:
            main.cancel()

    try:
        before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(handle))
    except ValueError:
        # Signals reach only the main thread. Code that runs us in another one has its own way to stop.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class DaemonThreads(ThreadPoolExecutor):
    """An event loop's executor that never waits for its threads.

    The loop resolves host names in it, and a name server that does not answer would delay the exit by half a minute.
    """

    def submit(self, call: Callable[Given, Result], /, *args: Given.args, **more: Given.kwargs) -> Future[Result]:
        future: Future[Result] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = call(*args, **more)
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller that awaits the future
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the threads running."""
