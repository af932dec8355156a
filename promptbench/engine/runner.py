"""The one driver of everything that calls models: runs, measurements, label agreement, pytest."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from promptbench.core.clock import now
from promptbench.core.events import Event, Listener, Notice
from promptbench.core.threads import DaemonThreads
from promptbench.core.types import ModelRef, Request
from promptbench.gateway import BudgetReached, Gateway, ModelDown, Reply, Stopped

_CLOSE_SECONDS = 0.3  # for closing the models after the user aborted

Item = TypeVar("Item")
Input_contra = TypeVar("Input_contra", contravariant=True)


def ignore(event: Event) -> None:
    """A listener that ignores events."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """A call that a worker is about to make. `began` is in seconds of `time.perf_counter`."""

    request: Request
    fallback: ModelRef | None = None
    started: str = field(default_factory=now)
    began: float = field(default_factory=time.perf_counter)


class Work(Protocol[Input_contra]):
    """What an engine does with its tasks."""

    def queue(self, task: Input_contra) -> str:
        """Return the queue that a task waits in, a key of `Engine.run`'s `workers`."""

    async def begin(self, task: Input_contra) -> CallPlan | None:
        """Return the call to make for a task, None if there is none."""

    async def finish(self, task: Input_contra, plan: CallPlan, reply: Reply | None) -> None:
        """Record the reply; None if no call was made: see `Engine.down`, `spent` and `stopped` for the reason."""


class Engine:
    """A worker on tasks that call models, on one event loop and through one gateway. A context manager.

    It limits no concurrency: that is the gateway's part. It starts as many workers as calls may be in flight, so that
    memory holds these and a short queue, never the whole plan. `down` holds the models that are disabled for this run,
    and why; `spent` the part of the budget that is used up, if any; `stopped` is True after Ctrl-C.
    """

    def __init__(self, gateway: Gateway, listen: Listener = ignore) -> None:
        self.gateway = gateway
        self.down: dict[str, str] = {}
        self.spent: str | None = None
        self.stopped = False
        self._listen = listen
        self._loop = asyncio.Runner()
        self._aborted = False
        self._halt = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    @property
    def halted(self) -> bool:
        """True if no more calls may be made to any model."""
        return self.stopped or self.spent is not None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        # Ctrl-C between two runs ends like Ctrl-C in one.
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        if interrupted:
            self.stopped = self._aborted = True
        self.close()
        return interrupted

    def run(
        self,
        tasks: Iterable[Item],
        work: Work[Item],
        workers: Mapping[str, int],
        due: Callable[[Item], float] | None = None,
    ) -> None:
        """Work through the tasks, until they end or the engine is halted.

        `workers` is the number of workers by queue. With `due`, each task starts at that time instead, in seconds of
        `time.perf_counter`, however many calls are in flight. Raises what `work` raises.
        """
        self.wait(self._run(tasks, work, workers, due))

    def stop(self) -> None:
        """Make no more calls. Calls in flight are still awaited and recorded."""
        self.stopped = True
        self._halt.set()
        self.gateway.stop()

    async def call(self, request: Request) -> Reply | None:
        """Call a model from inside of a task, such as a judge; None as in `Work.finish`."""
        reply = None
        with self._recording(request.model):
            reply = await self.gateway.call(request)
        return reply

    def wait(self, coroutine: Coroutine[None, None, None]) -> None:
        """Run something such as waiting for a batch. Ctrl-C ends it at once. Raises what it raises."""
        try:
            self._loop.run(coroutine)
        except BudgetReached as error:
            self.spent = error.message
        except (KeyboardInterrupt, asyncio.CancelledError):
            self.stopped = self._aborted = True
        except BaseExceptionGroup as group:
            raise _first_error(group) from group

    def spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        """Start something that `run` waits for besides its tasks."""
        assert self._group is not None
        self._group.create_task(coroutine)

    def close(self) -> None:
        """Close the models and the event loop."""
        try:
            self._loop.run(self.gateway.close(_CLOSE_SECONDS if self._aborted else None))
        finally:
            self._loop.close()

    async def _run(
        self,
        tasks: Iterable[Item],
        work: Work[Item],
        workers: Mapping[str, int],
        due: Callable[[Item], float] | None,
    ) -> None:
        asyncio.get_running_loop().set_default_executor(DaemonThreads())
        with on_interrupt(self._interrupted):
            async with asyncio.TaskGroup() as self._group:
                if due is not None:
                    await self._start_on_time(self._group, tasks, work, due)
                    return
                queues = {name: asyncio.Queue[Item | None](2 * count) for name, count in workers.items()}
                for name, count in workers.items():
                    for _ in range(count):
                        self._group.create_task(self._work(queues[name], work))
                for task in tasks:
                    if self.halted:
                        break
                    await queues[work.queue(task)].put(task)
                for name, count in workers.items():
                    for _ in range(count):
                        await queues[name].put(None)

    async def _work(self, queue: asyncio.Queue[Item | None], work: Work[Item]) -> None:
        while (task := await queue.get()) is not None:
            if self.halted or (plan := await work.begin(task)) is None:
                continue
            reply = None
            with self._recording(plan.request.model):
                reply = await self.gateway.call(plan.request, plan.fallback)
            await work.finish(task, plan, reply)

    async def _start_on_time(
        self, group: asyncio.TaskGroup, tasks: Iterable[Item], work: Work[Item], due: Callable[[Item], float]
    ) -> None:
        for task in tasks:
            if (wait := due(task) - time.perf_counter()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._halt.wait()
            if self.halted:
                return
            one = asyncio.Queue[Item | None]()
            one.put_nowait(task)
            one.put_nowait(None)
            group.create_task(self._work(one, work))

    @contextmanager
    def _recording(self, model: ModelRef) -> Iterator[None]:
        try:
            yield
        except ModelDown as error:
            self.down.setdefault(str(model), str(error))
        except BudgetReached as error:
            self.spent = self.spent or error.message
            self._halt.set()
            self.gateway.stop()
        except Stopped:
            pass

    def _interrupted(self) -> bool:
        if self.stopped:
            return False
        self.stop()
        self._listen(Notice("stopping after the calls in flight (press ^C again to abort)"))
        return True


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


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
