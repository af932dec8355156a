"""Work that the other cores of this machine share."""

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from typing import Any, TypeVar

from promptbench.core.errors import EnvironmentFailure

Item = TypeVar("Item")
Result = TypeVar("Result")

# More would wait for the one process that reads and writes the record.
_MOST = 4
# Items that each process has in hand, so that it does not wait for the next one.
_IN_HAND = 3


def shared_work(
    there: Callable[[Item], Result], here: Callable[[Item], Result], items: Iterable[Item], *, alone: bool
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its result, in the order in which they are done.

    A process for each other core calls `there`; it and the items are pickled. While all of them have enough in hand,
    this process calls `here`, as it does for every item if it is `alone`. Raises what they raise, and
    EnvironmentFailure if a process ends.
    """
    processes = 0 if alone else min(core_count() - 1, _MOST)
    pending: deque[tuple[Item, Future[Result]]] = deque()
    # A fork would copy an open SQLite connection and the locks of other threads. No process starts before it has work.
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(max(1, processes), mp_context=spawn, initializer=_start)
    try:
        for item in items:
            if len(pending) < _IN_HAND * processes:
                pending.append((item, pool.submit(there, item)))
            else:
                yield item, here(item)
            while pending and pending[0][1].done():
                done, future = pending.popleft()
                yield done, future.result()
        for done, future in pending:
            yield done, future.result()
    except BrokenExecutor:
        raise EnvironmentFailure(
            "a process that did a part of the work ended", hint="repeat the command; there may be too little memory"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


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
