"""The rounds of a run: everything once, then whatever the gate wants more of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from promptbench.core.events import Listener, MoreWanted
from promptbench.core.types import AttemptKey
from promptbench.engine import leaving
from promptbench.engine.plan import Repeats, Task, first_round
from promptbench.engine.runner import Runner
from promptbench.project.bench import PreparedSuite

More = Callable[[], tuple[int, Iterable[Task]]]
"""How many tasks the next round has, and the tasks; none when nothing more is wanted."""


async def run_rounds(
    runner: Runner,
    prepared: PreparedSuite,
    repeats: Repeats,
    done: Callable[[AttemptKey], bool],
    more: More,
    listen: Listener,
) -> bool:
    """Works until the gate has all it wants. False when the user stopped it, a budget ended, or a model of the
    gate, or a judge whose verdict counts, was given up.
    """
    with leaving.interruptible(runner, listen):
        await runner.work(first_round(prepared, repeats, done), done)
        while not (runner.halted or runner.down):
            count, tasks = more()
            if not count:
                break
            listen(MoreWanted(count))
            await runner.work(tasks, done)
    return not runner.halted and not prepared.decisive & runner.down.keys()
