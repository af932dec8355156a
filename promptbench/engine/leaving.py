"""How a run ends at once: nothing waits for what a thread still does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

SECONDS = 0.3
"""How long the models may take to close when the user wants to leave."""

Given = ParamSpec("Given")
Result = TypeVar("Result")


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
