"""Makes attempts: asks the model, then the judges, scores, puts on record, tells the listener. In that order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Protocol

from promptbench.core.canonical import digest
from promptbench.core.clock import now
from promptbench.core.events import AttemptDone, Listener
from promptbench.core.types import Attempt, AttemptKey, Outcome, Request
from promptbench.engine.judging import Judges, Verdicts
from promptbench.engine.plan import Task
from promptbench.engine.scoring import scored
from promptbench.gateway import BudgetReached, Gateway, ModelDown, Reply, Stopped
from promptbench.project.bench import PreparedSuite


class Record(Verdicts, Protocol):
    """Where attempts are kept. `add` returns when they are committed."""

    def add(self, attempts: Iterable[tuple[Attempt, bool]]) -> None: ...

    def attempt(self, key: AttemptKey) -> Attempt | None:
        """One that was made before in this run."""


class Runner:
    """Works through tasks, as many at once as each model's provider can use.

    Where a model was given up before, the `covered` have the answers of its fallback on record: they are asked again of
    the model only. The `unjudged` have the model's answer on record and no verdict on it: only their judges are asked.
    """

    def __init__(
        self,
        prepared: PreparedSuite,
        gateway: Gateway,
        record: Record,
        listen: Listener,
        covered: Collection[AttemptKey] = frozenset(),
        unjudged: Collection[AttemptKey] = frozenset(),
    ) -> None:
        self._prepared = prepared
        self._gateway = gateway
        self._record = record
        self._listen = listen
        self._deterministic = {model.name: prepared.deterministic(model) for model in prepared.models}
        self._covered = covered
        self._unjudged = unjudged
        self._judges = Judges(prepared, gateway, record)
        self._answered: asyncio.Queue[tuple[Task, Attempt] | None] = asyncio.Queue(2 * self._judges.concurrency)
        self._waiting: list[tuple[Attempt, bool]] = []
        self._down: dict[str, str] = {}
        self._gone: set[str] = set()
        """Models that were given up together with their fallbacks."""
        self._stopping = False
        self._spent: str | None = None

    @property
    def down(self) -> dict[str, str]:
        """Models that were given up, and why; judges too, where a verdict hangs on them."""
        return {
            **self._down,
            **{name: why for name, why in self._judges.down.items() if name in self._prepared.decisive},
        }

    @property
    def stopped(self) -> bool:
        return self._stopping

    @property
    def spent(self) -> str | None:
        """What part of the budget is used up, if one is."""
        return self._spent or self._judges.spent

    @property
    def halted(self) -> bool:
        """Whether nothing more may be asked of any model."""
        return self._stopping or self.spent is not None

    def stop(self) -> None:
        """Asks nothing more; what is in flight is still awaited and kept."""
        self._stopping = True
        self._gateway.stop()

    async def work(self, tasks: Iterable[Task], done: Callable[[AttemptKey], bool]) -> None:
        """Makes every attempt that is not `done` already. Memory holds what is in flight, not the plan."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._judges.concurrency):
                group.create_task(self._judge())
            await self._ask_models(tasks, done)
            for _ in range(self._judges.concurrency):
                await self._answered.put(None)

    async def _ask_models(self, tasks: Iterable[Task], done: Callable[[AttemptKey], bool]) -> None:
        models = {model.name: model for model in self._prepared.models}
        queues: dict[str, asyncio.Queue[Task | None]] = {
            name: asyncio.Queue(2 * model.provider.concurrency) for name, model in models.items()
        }
        async with asyncio.TaskGroup() as group:
            for name, queue in queues.items():
                for _ in range(models[name].provider.concurrency):
                    group.create_task(self._worker(queue))
            await self._feed(tasks, done, queues)
            for name, queue in queues.items():
                for _ in range(models[name].provider.concurrency):
                    await queue.put(None)

    async def _feed(
        self, tasks: Iterable[Task], done: Callable[[AttemptKey], bool], queues: dict[str, asyncio.Queue[Task | None]]
    ) -> None:
        for task in tasks:
            if self.halted:
                return
            if not done(task.key) and task.model.name not in self._gone:
                await queues[task.model.name].put(task)

    async def _worker(self, queue: asyncio.Queue[Task | None]) -> None:
        while (task := await queue.get()) is not None:
            if self.halted or task.model.name in self._gone:
                continue
            kept = self._kept(task)
            attempt = kept or await self._made(task)
            if attempt is None:
                continue
            if not self._judges.concurrency:
                await self._keep(task, scored(self._prepared, task.case, attempt))
                continue
            if kept is None:
                # On record before the judges look at it: what a model has answered is not asked of it again.
                same = self._deterministic[task.model.name]
                self._record.add([(_as_billed(scored(self._prepared, task.case, attempt)), same)])
            await self._answered.put((task, attempt))

    async def _judge(self) -> None:
        while (item := await self._answered.get()) is not None:
            task, attempt = item
            await self._keep(task, await self._judges.judge(task.case, attempt))

    def _kept(self, task: Task) -> Attempt | None:
        """The attempt on record that only lacks its judges."""
        found = self._record.attempt(task.key) if task.key in self._unjudged else None
        # Its recording is there already.
        return replace(found, answer=replace(found.answer, recorded=True)) if found and found.answer else None

    async def _keep(self, task: Task, attempt: Attempt) -> None:
        self._waiting.append((_as_billed(attempt), self._deterministic[task.model.name]))
        # All attempts that end in the same turn of the loop are committed together.
        await asyncio.sleep(0)
        self._commit()

    def _commit(self) -> None:
        if not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        self._record.add(batch)
        self._judges.settle(attempt for attempt, _ in batch)
        for attempt, _ in batch:
            self._listen(AttemptDone(attempt))

    async def _made(self, task: Task) -> Attempt | None:
        """The attempt without its scores; None when there is nothing to keep."""
        request = self._prepared.request(task.model, task.variant, task.case, task.repeat)
        started = now()
        reply = await self._ask(task, request)
        return None if reply is None else self._attempt(task, request, reply, started)

    async def _ask(self, task: Task, request: Request) -> Reply | None:
        """What becomes of a request; None when that is nothing to keep."""
        model = task.model
        covered = task.key in self._covered
        fallback = model.fallback.ref if model.fallback and not covered else None
        try:
            reply = await self._gateway.ask(request, fallback)
        except ModelDown as error:
            self._down.setdefault(model.name, str(error))
            if not covered:
                self._gone.add(model.name)
            return None
        except BudgetReached as error:
            self._spent = self._spent or error.message
            self._gateway.stop()
            return None
        except Stopped:
            return None
        if reply.fallback is not None and reply.failure is not None:
            self._down.setdefault(model.name, reply.failure.message)
        return reply if reply.answer is not None or not covered else None

    @staticmethod
    def _attempt(task: Task, request: Request, reply: Reply, started: str) -> Attempt:
        return Attempt(
            key=task.key,
            outcome=Outcome.ERRORED,
            request_hash=digest(request.as_dict()),
            answer=reply.answer,
            error=reply.failure.message if reply.failure else None,
            tries=reply.tries,
            failed_tries=reply.failed_tries,
            queue_ms=reply.queue_ms,
            limit_ms=reply.limit_ms,
            backoff_ms=reply.backoff_ms,
            started=started,
            fallback=str(reply.fallback) if reply.fallback and reply.answer else None,
            cost=reply.cost,
        )


def _as_billed(attempt: Attempt) -> Attempt:
    """What came from the cache costs nothing now; its checks have seen what the call cost that gave it."""
    return attempt if attempt.tries else replace(attempt, cost=0.0)
