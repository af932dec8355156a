"""Makes attempts: asks through the gateway, scores, puts on record, tells the listener. In that order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from promptbench.core.canonical import digest
from promptbench.core.clock import now
from promptbench.core.events import AttemptDone, Listener
from promptbench.core.types import Attempt, AttemptKey, CallFacts, Outcome, Request
from promptbench.engine.plan import Task
from promptbench.gateway import BudgetReached, Gateway, ModelDown, Reply, Stopped
from promptbench.project.bench import BASELINE, Bench
from promptbench.project.evaluate import evaluate

_IDLE = 0.0001
"""Seconds. A turn of the event loop that is shorter had nothing to do."""
_LONGEST_BATCH = 0.02
"""Seconds after which scores are committed, though more answers wait."""


class Record(Protocol):
    """Where attempts are kept. `add` returns when they are committed."""

    def add(self, attempts: Iterable[tuple[Attempt, bool]]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Question:
    """A task with its request, ready to be asked."""

    task: Task
    request: Request


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came back to a question that was asked at `started`."""

    question: _Question
    reply: Reply
    started: str


class Runner:
    """Works through tasks, as many at once as each model's provider can use.

    Requests are made before they are wanted and answers are scored while the next ones are awaited, so that a place at
    the provider is never empty because this process computes. Where a model was given up before, the `covered` have the
    answers of its fallback on record: they are asked again of the model only.
    """

    def __init__(
        self,
        bench: Bench,
        gateway: Gateway,
        record: Record,
        listen: Listener,
        covered: Collection[AttemptKey] = frozenset(),
    ) -> None:
        self._bench = bench
        self._gateway = gateway
        self._record = record
        self._listen = listen
        self._deterministic = {model.name: bench.deterministic(model) for model in bench.models}
        self._covered = covered
        self._down: dict[str, str] = {}
        self._gone: set[str] = set()
        """Models that were given up together with their fallbacks."""
        self._stopping = False
        self._spent: str | None = None

    @property
    def down(self) -> dict[str, str]:
        """Models that were given up, and why."""
        return self._down

    @property
    def stopped(self) -> bool:
        return self._stopping

    @property
    def spent(self) -> str | None:
        """What part of the budget is used up, if one is."""
        return self._spent

    @property
    def halted(self) -> bool:
        """Whether nothing more may be asked of any model."""
        return self._stopping or self._spent is not None

    def stop(self) -> None:
        """Asks nothing more; what is in flight is still awaited and kept."""
        self._stopping = True
        self._gateway.stop()

    async def work(self, tasks: Iterable[Task], done: Callable[[AttemptKey], bool]) -> None:
        """Makes every attempt that is not `done` already. Memory holds what is in flight, not the plan."""
        widths = {model.name: model.provider.concurrency for model in self._bench.models}
        questions: dict[str, asyncio.Queue[_Question | None]] = {
            name: asyncio.Queue(2 * width) for name, width in widths.items()
        }
        # Whoever finds it full waits: what is answered and not yet on record stays as little as what is in flight.
        replies: asyncio.Queue[_Reply | None] = asyncio.Queue(sum(widths.values()))
        async with asyncio.TaskGroup() as keeping:
            keeping.create_task(self._keep(replies))
            async with asyncio.TaskGroup() as asking:
                for name, queue in questions.items():
                    for _ in range(widths[name]):
                        asking.create_task(self._ask(queue, replies))
                await self._feed(tasks, done, questions)
                for name, queue in questions.items():
                    for _ in range(widths[name]):
                        await queue.put(None)
            await replies.put(None)

    async def _feed(
        self,
        tasks: Iterable[Task],
        done: Callable[[AttemptKey], bool],
        questions: dict[str, asyncio.Queue[_Question | None]],
    ) -> None:
        for task in tasks:
            if self.halted:
                return
            if not done(task.key) and task.model.name not in self._gone:
                request = self._bench.request(task.model, task.variant, task.case, task.repeat)
                await questions[task.model.name].put(_Question(task, request))

    async def _ask(self, questions: asyncio.Queue[_Question | None], replies: asyncio.Queue[_Reply | None]) -> None:
        while (question := await questions.get()) is not None:
            task, model = question.task, question.task.model
            if self.halted or model.name in self._gone:
                continue
            started = now()
            covered = task.key in self._covered
            fallback = model.fallback.ref if model.fallback and not covered else None
            try:
                reply = await self._gateway.ask(question.request, fallback)
            except ModelDown as error:
                self._down.setdefault(model.name, str(error))
                if not covered:
                    self._gone.add(model.name)
            except BudgetReached as error:
                self._spent = self._spent or error.message
                self._gateway.stop()
            except Stopped:
                continue
            else:
                if reply.fallback is not None and reply.failure is not None:
                    self._down.setdefault(model.name, reply.failure.message)
                if reply.answer is not None or not covered:
                    await replies.put(_Reply(question, reply, started))

    async def _keep(self, replies: asyncio.Queue[_Reply | None]) -> None:
        """Scores what was answered and puts it on record, in the moments in which the network has nothing to do."""
        more = True
        while more:
            batch: list[tuple[Attempt, bool]] = []
            until = time.perf_counter() + _LONGEST_BATCH
            item = await replies.get()
            while item is not None:
                await _quiet(replies)
                batch.append((self._attempt(item), self._deterministic[item.question.task.model.name]))
                if replies.empty() or time.perf_counter() >= until:
                    break
                item = replies.get_nowait()
            more = item is not None
            if batch:
                self._record.add(batch)
            for attempt, _ in batch:
                self._listen(AttemptDone(attempt))

    def _attempt(self, item: _Reply) -> Attempt:
        task, reply = item.question.task, item.reply
        attempt = Attempt(
            key=task.key,
            outcome=Outcome.ERRORED,
            request_hash=digest(item.question.request.as_dict()),
            answer=reply.answer,
            error=reply.failure.message if reply.failure else None,
            tries=reply.tries,
            failed_tries=reply.failed_tries,
            queue_ms=reply.queue_ms,
            limit_ms=reply.limit_ms,
            backoff_ms=reply.backoff_ms,
            started=item.started,
            fallback=str(reply.fallback) if reply.fallback and reply.answer else None,
        )
        if reply.answer is None:
            return attempt
        checks = task.case.checks[task.variant.hash if task.variant else BASELINE]
        facts = CallFacts(reply.answer.provider_ms, reply.answer.usage, reply.cost)
        scored = evaluate(
            reply.answer.text, checks, self._bench.accept, task.case.variables, facts, task.case.threshold
        )
        outcome = Outcome.PASSED if scored.passed else Outcome.FAILED
        return replace(
            attempt,
            outcome=Outcome.ERRORED if reply.fallback else outcome,
            rung=scored.rung,
            well_formed=scored.well_formed,
            repairs=scored.repairs,
            scores=scored.scores,
            cost=reply.cost if reply.tries else 0.0,
        )


async def _quiet(replies: asyncio.Queue[_Reply | None]) -> None:
    """Waits for a turn of the loop in which nothing else happens, but not beyond a full queue: a place at the provider
    that stays empty costs more than a late score.
    """
    while not replies.full():
        began = time.perf_counter()
        await asyncio.sleep(0)
        if time.perf_counter() - began < _IDLE:
            return
