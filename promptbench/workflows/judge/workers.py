"""Processes that share work: a pool on this machine's cores."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# More would wait for the one process that reads and writes the record.
_MOST = 4
# Items that each process has in hand, so that it does not wait for the next one.
_IN_HAND = 3


@dataclass(frozen=True, slots=True)
class Workers:
    """Processes that share the work of this one, and their number."""

    executor: Executor
    count: int

    def map(
        self, there: Callable[[Item], Result], here: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """Yield each item with its result, in their order.

        The processes call `there`; it and the items are pickled. While all have enough in hand, this one calls `here`,
        as it does for what a process did not finish because it ended.
        """
        pending: deque[tuple[Item, Future[Result]]] = deque()
        for item in items:
            busy = sum(not future.done() for _, future in pending) >= _IN_HAND * self.count
            pending.append((item, _called(here, item) if busy else self._submit(there, item)))
            while pending and (pending[0][1].done() or len(pending) > 4 * _IN_HAND * self.count):
                yield _settled(here, *pending.popleft())
        while pending:
            yield _settled(here, *pending.popleft())

    def _submit(self, there: Callable[[Item], Result], item: Item) -> Future[Result]:
        try:
            return self.executor.submit(there, item)
        except BrokenExecutor as error:
            ended = Future[Result]()
            ended.set_exception(error)
            return ended


def _called(here: Callable[[Item], Result], item: Item) -> Future[Result]:
    future = Future[Result]()
    future.set_result(here(item))
    return future


def _settled(here: Callable[[Item], Result], item: Item, future: Future[Result]) -> tuple[Item, Result]:
    try:
        return item, future.result()
    except BrokenExecutor:
        # It may have had too little memory.
        return item, here(item)


@contextmanager
def open_pool() -> Iterator[Workers | None]:
    """Start a process for each core but that of this process; None if there is one core."""
    count = min(_cores() - 1, _MOST)
    if count < 1:
        yield None
        return
    # A fork would copy an open SQLite connection and the locks of other threads.
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=spawn, initializer=_start)
    try:
        yield Workers(pool, count)
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start() -> None:
    """Set up a process of the pool: the one that started it handles Ctrl-C, and it does not outlive that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(100_000, 20, 20)  # as in `__main__`
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
