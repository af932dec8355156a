"""Work that other processes share, on the other cores of this machine or on a cluster."""

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple, TypeVar

from promptbench.core.errors import EnvironmentFailure

Item = TypeVar("Item")
Result = TypeVar("Result")

# More would wait for the one process that reads and writes the record.
_MOST = 8
# Items that each process has in hand, so that it does not wait for the next one.
_IN_HAND = 3


class Workers(NamedTuple):
    """Other processes behind an executor, which raises `broken` if they end."""

    executor: Executor
    processes: int
    broken: type[Exception]

    def share(
        self, there: Callable[[Item], Result], here: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """Yield each item with its result, in the order in which they are done.

        The other processes call `there`; it and the items are pickled. While all of them have enough in hand, this
        process calls `here`. Raises what they raise, and EnvironmentFailure if a process ends.
        """
        pending: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                if len(pending) < _IN_HAND * self.processes:
                    pending.append((item, self.executor.submit(there, item)))
                else:
                    yield item, here(item)
                while pending and pending[0][1].done():
                    done, future = pending.popleft()
                    yield done, future.result()
            for done, future in pending:
                yield done, future.result()
        except (self.broken, CancelledError):
            raise EnvironmentFailure(
                "a process that did a part of the work ended", hint="repeat the command; there may be too little memory"
            ) from None


def local_workers(scope: ExitStack, *, alone: bool) -> Workers:
    """Return a process for each other core of this machine, none if this process is to be `alone`."""
    processes = 0 if alone else min(core_count() - 1, _MOST)
    # A fork would copy an open SQLite connection and the locks of other threads. No process starts before it has work.
    pool = ProcessPoolExecutor(max(1, processes), multiprocessing.get_context("spawn"), _start)
    scope.callback(pool.shutdown, cancel_futures=True)
    return Workers(pool, processes, BrokenExecutor)


def core_count() -> int:
    # Return the number of cores that this process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start() -> None:
    # The process that started this one handles Ctrl-C, and must not leave it behind if it is killed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(100_000, 20, 20)  # as in `__main__`
    threading.Thread(target=_end_after, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)
