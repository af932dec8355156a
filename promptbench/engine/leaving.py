"""How a run ends when the user wants it: what is in flight may end, or all at once, and no thread is waited for."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, Protocol, TypeVar

from promptbench.core.events import Listener, Notice

SECONDS = 0.3
"""How long the models may take to close when the user wants to leave."""

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Stoppable(Protocol):
    """What asks."""

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""

    def stop(self) -> None:
        """Has it ask nothing more; what is in flight is still awaited and kept."""


@contextmanager
def interruptible(asking: Stoppable, listen: Listener) -> Iterator[None]:
    """The first ^C lets what is in flight end, the second one does not."""
    main = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def on_interrupt() -> None:
        if asking.stopped and main is not None:
            main.cancel()
            return
        asking.stop()
        listen(Notice("stopping; what is in flight may end (press ^C again to leave at once)"))

    try:
        before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(on_interrupt))
    except ValueError:
        # Not in the main thread: whoever runs us there has its own way to stop.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def patience() -> float | None:
    """Seconds for which the running task may wait at its end; None where nobody is in a hurry."""
    task = asyncio.current_task()
    return SECONDS if task is not None and task.cancelling() else None


class DaemonThreads(ThreadPoolExecutor):
    """A loop's executor whose threads are not waited for.

    The loop looks up names in it, and a name server that is silent for half a minute would keep the user as long.
    """

    def submit(self, call: Callable[Given, Result], /, *args: Given.args, **more: Given.kwargs) -> Future[Result]:
        future: Future[Result] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = call(*args, **more)
            except BaseException as error:  # noqa: BLE001 - whoever waits for the result gets it
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leaves the threads to themselves."""
