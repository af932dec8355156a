"""Work that other processes share, on the other cores of this machine or on a cluster."""

import gc
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, TypeVar, cast

from promptbench.core.errors import EnvironmentFailure

Item = TypeVar("Item")
Result = TypeVar("Result")

# More would wait for the one process that reads and writes the record.
_MOST = 8
# Items that each process has in hand, so that it does not wait for the next one.
_IN_HAND = 3
# Results that wait for that of an earlier item.
_MOST_WAITING = 32


class Workers(NamedTuple):
    """Other processes behind an executor, which raises `broken` if they end."""

    executor: Executor
    processes: int
    broken: type[Exception]

    def share(
        self, there: Callable[[Item], Result], here: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """Yield each item with its result, in their order.

        The other processes call `there`; it and the items are pickled. While all of them have enough in hand, this
        process calls `here`. Raises what they raise, and EnvironmentFailure if a process ends.
        """
        pending: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                if sum(not future.done() for _, future in pending) < _IN_HAND * self.processes:
                    future = self.executor.submit(there, item)
                else:
                    future = Future()
                    future.set_result(here(item))
                pending.append((item, future))
                while pending and (pending[0][1].done() or len(pending) > _MOST_WAITING):
                    done, future = pending.popleft()
                    yield done, future.result()
            for done, future in pending:
                yield done, future.result()
        except (self.broken, CancelledError):
            raise EnvironmentFailure(
                "a process that did a part of the work ended", hint="repeat the command; there may be too little memory"
            ) from None


class _Processes(ThreadPoolExecutor):
    """Other processes, each behind a thread and a pipe of its own.

    `ProcessPoolExecutor` waits for ever if a process is killed while it sends a result: all of them write to one pipe,
    which this process keeps open.
    """

    def __init__(self, processes: int) -> None:
        super().__init__(processes)
        # A fork would copy an open SQLite connection and the locks of other threads.
        self._context = multiprocessing.get_context("spawn")
        self._own = threading.local()
        self._started: list[BaseProcess] = []

    def submit(self, work: Callable[..., Result], /, *given: Any, **named: Any) -> Future[Result]:
        return super().submit(self._call, work, given)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, also in the middle of their work."""
        for process in self._started:
            process.kill()
        super().shutdown(wait, cancel_futures=cancel_futures)

    def _call(self, work: Callable[..., Result], given: tuple[Any, ...]) -> Result:
        # No process starts before it has work.
        if not hasattr(self._own, "pipe"):
            self._own.pipe, theirs = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            self._started.append(process)
            theirs.close()
        try:
            self._own.pipe.send((work, given))
            result, error = self._own.pipe.recv()
        except (EOFError, OSError) as lost:
            raise BrokenExecutor from lost
        if error:
            raise error
        return cast(Result, result)


def local_workers(scope: ExitStack, *, alone: bool) -> Workers:
    """Return a process for each other core of this machine, none if this process is to be `alone`."""
    processes = 0 if alone else min(core_count() - 1, _MOST)
    pool = _Processes(max(1, processes))
    scope.callback(pool.shutdown, cancel_futures=True)
    return Workers(pool, processes, BrokenExecutor)


def core_count() -> int:
    # Return the number of cores that this process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _serve(pipe: Connection) -> None:
    # The process that started this one handles Ctrl-C, and must not leave it behind if it is killed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(300_000, 20, 20)  # as in `__main__`
    threading.Thread(target=_end_after, args=(multiprocessing.parent_process(),), daemon=True).start()
    while True:
        work, given = pipe.recv()
        try:
            pipe.send((work(*given), None))
        except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
            error.add_note(traceback.format_exc())
            pipe.send((None, error))


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)
