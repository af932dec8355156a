"""The rounds of a run: everything once, then whatever the gate wants more of."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from promptbench.core.events import Listener, MoreWanted, Notice
from promptbench.core.types import AttemptKey
from promptbench.engine.plan import Repeats, Task, first_round
from promptbench.engine.runner import Runner
from promptbench.project.bench import Bench

More = Callable[[], tuple[int, Iterable[Task]]]
"""How many tasks the next round has, and the tasks; none when nothing more is wanted."""


async def run_rounds(
    runner: Runner, bench: Bench, repeats: Repeats, done: Callable[[AttemptKey], bool], more: More, listen: Listener
) -> bool:
    """Works until the gate has all it wants. False when the user stopped it, a budget ended, or a model of the
    gate, or a judge whose verdict counts, was given up.
    """
    with _interruptible(runner, listen):
        await runner.work(first_round(bench, repeats, done), done)
        while not (runner.halted or runner.down):
            count, tasks = more()
            if not count:
                break
            listen(MoreWanted(count))
            await runner.work(tasks, done)
    return not runner.halted and not bench.decisive & runner.down.keys()


@contextmanager
def _interruptible(runner: Runner, listen: Listener) -> Iterator[None]:
    """The first ^C lets what is in flight end, the second one does not."""
    main = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def on_interrupt() -> None:
        if runner.stopped and main is not None:
            main.cancel()
            return
        runner.stop()
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
