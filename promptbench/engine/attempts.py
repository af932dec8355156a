"""Make attempts: call the model, then the judges, score, commit, notify the listener. In that order."""

import asyncio
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from promptbench.core.canonical import digest, digest_text
from promptbench.core.clock import now
from promptbench.core.events import AttemptDone, Listener, MoreWanted, Notice
from promptbench.core.python_process import FunctionFailure
from promptbench.core.types import (
    Answer,
    Attempt,
    AttemptKey,
    FailedTry,
    Judging,
    Outcome,
    ProviderFailure,
    Request,
    Step,
)
from promptbench.engine.plan import Repeats, Task, first_round
from promptbench.engine.prepare.evaluate import JudgeRequest
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite, slot_of
from promptbench.engine.runner import CallPlan, Engine, ignore
from promptbench.engine.scoring import judge_requests_of, score_attempt
from promptbench.engine.trajectory import Trajectory, as_attempt, step_of, trajectory_of
from promptbench.gateway import Reply


class JudgeRecord(Protocol):
    """Where the verdicts of a run are stored."""

    def judged(self, request_hash: str) -> Answer | None:
        """Return a judge's answer that contains a verdict."""


class Judges:
    """The judges of one run. The same answer to the same case is judged once: answers that nobody can tell apart must
    not be fixed or broken by the variance of a judge.
    """

    def __init__(self, prepared: PreparedSuite, engine: Engine, record: JudgeRecord) -> None:
        self._prepared = prepared
        self._engine = engine
        self._record = record
        self._open: dict[str, asyncio.Future[Judging | None]] = {}  # in flight, or answered and not yet on record

    async def judge(self, case: PreparedCase, attempt: Attempt) -> Attempt | None:
        """Return the attempt with its scores and the new judgings; None if a judge answers in the next batch."""
        if attempt.answer is None or attempt.fallback is not None:
            return score_attempt(self._prepared, case, attempt)
        asked = judge_requests_of(self._prepared, case, attempt)
        found = await asyncio.gather(*(self._judging(item, case.name, text) for item, text in asked))
        judgings = [(judging, is_new) for judging, is_new in found if judging is not None]
        if len(judgings) < len(found):
            return None
        new = tuple(judging for judging, is_new in judgings if is_new)
        return replace(score_attempt(self._prepared, case, attempt, [judging for judging, _ in judgings]), judgings=new)

    def settle(self, attempts: Iterable[Attempt]) -> None:
        """Forget the judgings that are now on record."""
        for attempt in attempts:
            for judging in attempt.judgings:
                self._open.pop(judging.request_hash, None)

    async def _judging(self, item: JudgeRequest, case: str, text: str) -> tuple[Judging | None, bool]:
        request = self._prepared.as_sent(item.request)
        key = digest(request.as_dict())
        if key in self._open:
            return await self._open[key], True
        kept = self._record.judged(key)
        judging = Judging(key, str(request.model), case, digest_text(text), kept, None, started=now())
        if kept is not None:
            return replace(judging, verdict=item.check.verdict(kept)), False
        future = self._open[key] = asyncio.get_running_loop().create_future()
        try:
            called = await self._call(request, item, judging)
            future.set_result(called)
        finally:
            if not future.done():
                future.cancel()
        if called is None:
            del self._open[key]
        return called, True

    async def _call(self, request: Request, item: JudgeRequest, judging: Judging) -> Judging | None:
        reply = await self._engine.call(request)
        if reply is None and not self._engine.halted and judging.judge not in self._engine.down:
            return None  # It waits for its batch.
        if reply is None:
            reason = "the budget was used up" if self._engine.spent else "the run was stopped"
            return replace(judging, error=self._engine.down.get(judging.judge, f"{reason} before the judge was called"))
        return replace(
            judging,
            answer=reply.answer,
            verdict=item.check.verdict(reply.answer) if reply.answer else None,
            error=reply.failure.message if reply.failure else None,
            tries=reply.tries,
            queue_ms=reply.queue_ms,
            cost=reply.cost if reply.tries else 0.0,
        )


# Cases that a model must reject alike before it is not called again: ten in a row are no accident of one input.
_ALIKE = 10
# And their share: with more than 2 % of the attempts unanswered there is no verdict, whatever the other cases give.
_SHARE = 0.02
# Replies that are kept for the other chains of a try, which are next to each other in the plan.
_MOST_SHARED = 4_096


class Rejections:
    """The cases whose requests each model rejected alike. A model that has answered anything is not counted.

    What only one prompt is refused says something about that prompt, so a model is at fault only when it rejects all of
    them: many calls are in flight, and the first answer to one prompt may come after many rejections of another.
    """

    def __init__(self, prepared: PreparedSuite, answering: Iterable[str]) -> None:
        self._prepared = prepared
        self._answering = set(answering)
        self._cases: dict[tuple[str, str], dict[str, set[str]]] = {}

    def answered(self, model: str) -> None:
        self._answering.add(model)

    def add(self, task: Task, message: str) -> str | None:
        """Count a rejected request. Return why the model should not be called again, if so."""
        if (model := task.model.name) in self._answering:
            return None
        # The same refusal may count tokens, or name the request.
        cases = self._cases.setdefault((model, re.sub(r"\d+", "", message)), {})
        cases.setdefault(task.key.variant, set()).add(task.case.name)
        sides = len(self._prepared.prompts_of(task.model))
        least = max(_ALIKE, int(_SHARE * len(self._prepared.cases)) + 1)
        if len(cases) < sides or min(map(len, cases.values())) < least:
            return None
        prompt = "" if sides == 1 else " with every prompt"
        return f"{model} rejected {least} cases alike{prompt} and answered none, so it is not called again in this run"


# Return the size of the next round, 0 if there is none, and a function that returns its tasks.
More = Callable[[], tuple[int, Callable[[], Iterable[Task]]]]


class AttemptRecord(JudgeRecord, Protocol):
    """Where attempts are stored. `add` returns when they are committed."""

    def add(self, attempts: Iterable[tuple[Attempt, bool]]) -> None: ...

    def attempt(self, key: AttemptKey) -> Attempt | None:
        """Return an attempt of this run that is on record."""

    def add_step(self, key: AttemptKey, number: int, step: Step, *, same: bool) -> None:
        """Store a step, from 1, of an attempt that is not complete. `same` says that its model is deterministic."""

    def steps(self, key: AttemptKey) -> Sequence[Step]:
        """Return the stored steps of an attempt."""


class Attempts:
    """The attempts of one prepared suite, as the work of an engine.

    `covered` attempts have an answer of a fallback on record: only their own model is called again. `unjudged` ones
    have an answer without a verdict: only their judges are called. `answering` are models that have answered before.
    """

    def __init__(
        self,
        prepared: PreparedSuite,
        engine: Engine,
        record: AttemptRecord,
        listen: Listener = ignore,
        covered: Collection[AttemptKey] = frozenset(),
        unjudged: Collection[AttemptKey] = frozenset(),
        answering: Collection[str] = frozenset(),
    ) -> None:
        self._prepared = prepared
        self._engine = engine
        self._record = record
        self._listen = listen
        self._deterministic = {model.name: prepared.deterministic(model) for model in prepared.models}
        self._covered = covered
        self._unjudged = set(unjudged)
        self._judges = Judges(prepared, engine, record)
        # Answers that wait for their judges are in memory, so they must not become many.
        judges = sum(engine.gateway.concurrency(name) for name in prepared.judges)
        self._judging = asyncio.Semaphore(2 * judges) if judges else None
        self._uncommitted: list[tuple[Attempt, bool]] = []
        self._gone: set[str] = set()  # models that are disabled together with their fallbacks
        # Replies to steps of chains: by model, case, try, number of the step and hash of the request.
        self._shared: dict[tuple[str, str, int, int, str], asyncio.Future[Reply | None]] = {}
        self._rejections = Rejections(prepared, answering)
        self._refused: set[tuple[str, str, str]] = set()  # models, prompts and the words that the models refused
        self.rejecting: dict[str, str] = {}  # models that reject everything, and what that means

    @property
    def down(self) -> dict[str, str]:
        """Models that are disabled for this run, and why; judges only if a verdict depends on them."""
        advisory = (
            self._prepared.judges.keys() - {str(model.ref) for model in self._prepared.models} - self._prepared.decisive
        )
        return {name: why for name, why in self._engine.down.items() if name not in advisory}

    @property
    def workers(self) -> dict[str, int]:
        """The workers that the engine needs, by model."""
        return {model.name: self._engine.gateway.concurrency(str(model.ref)) for model in self._prepared.models}

    @property
    def complete(self) -> bool:
        """False if the user, a budget or a disabled model that a verdict needs ended the rounds."""
        return not self._engine.halted and not self._prepared.decisive & self.down.keys()

    def rounds(
        self,
        repeats: Repeats,
        done: Callable[[AttemptKey], bool],
        more: More,
        seed: str,
        fetch: Callable[[], bool] = lambda: False,
    ) -> Iterator[Iterable[Task]]:
        """Yield the open tasks of the first round, then of what the gate wants more of.

        A round is yielded again as long as `fetch` returns True, because answers that it waits for have come.
        """
        tasks: Callable[[], Iterable[Task]] = partial(first_round, self._prepared, repeats, done, seed)
        count = 1
        while count:
            yield self.open(tasks(), done)
            while fetch():
                yield self.open(tasks(), done)
            count, tasks = (0, tasks) if self._engine.halted or self.down else more()
            self._listen(MoreWanted(count))

    def open(self, tasks: Iterable[Task], done: Callable[[AttemptKey], bool]) -> Iterator[Task]:
        """Yield the tasks that are not `done` and whose model may still be called."""
        return (task for task in tasks if not done(task.key) and task.model.name not in self._gone)

    def queue(self, task: Task) -> str:
        return task.model.name

    async def begin(self, task: Task) -> CallPlan | None:
        if task.model.name in self._gone:
            return None
        if (kept := self._kept(task)) is not None:
            await self._score(task, kept)
            return None
        trajectory = self._trajectory(task)
        if trajectory and self._prepared.chain_of(task.key.variant):
            steps = self._record.steps(task.key)
            plan = CallPlan(trajectory.request(steps))
            await self.finish(task, plan, await self._call(task, plan.request, len(steps)))
            return None
        return CallPlan(
            trajectory.request(self._record.steps(task.key))
            if trajectory
            else self._prepared.request(task.model, task.variant, task.case, task.repeat),
            task.model.fallback.ref if task.model.fallback and task.key not in self._covered else None,
        )

    async def finish(self, task: Task, plan: CallPlan, reply: Reply | None) -> None:
        covered = task.key in self._covered
        if reply is None:
            if {str(plan.request.model), str(task.model.ref)} & self._engine.down.keys() and not covered:
                self._gone.add(task.model.name)
            return
        if reply.fallback is not None and reply.failure is not None:
            self._engine.down.setdefault(str(task.model.ref), reply.failure.message)
        if reply.answer is None and covered:
            return
        if reply.failure is not None and reply.failure.refused:
            self._report_refused(task, reply.failure, reply.failure.refused)
        attempt: Attempt | None = _attempt(task, plan, reply)
        if (trajectory := self._trajectory(task)) and reply.fallback is None:
            attempt = await self._all_steps(task, trajectory, plan, reply)
        if attempt is None:
            if str(task.model.ref) in self._engine.down:
                self._gone.add(task.model.name)
            return
        if reply.answer is not None and reply.fallback is None:
            self._rejections.answered(task.model.name)
        elif attempt.rejected and (why := self._rejections.add(task, attempt.error or "")):
            self._disable(task.model.name, why)
        if self._judging is not None:
            # Committed before the judges see it, so that the model is never called for this answer again.
            same = self._deterministic[task.model.name]
            self._record.add([(_as_billed(score_attempt(self._prepared, task.case, attempt)), same)])
        await self._score(task, attempt)

    def _trajectory(self, task: Task) -> Trajectory | None:
        return trajectory_of(self._prepared, task.model, task.variant, task.case, task.repeat)

    async def _all_steps(
        self, task: Task, trajectory: Trajectory, plan: CallPlan, reply: Reply | None
    ) -> Attempt | None:
        """Return the attempt after all steps of the model; None if it is stopped.

        Every step is on record before the next call, so that none is made again.
        """
        first, chain = trajectory.request(()), self._prepared.chain_of(task.key.variant)
        steps, failed_tries = [*self._record.steps(task.key)], tuple[FailedTry, ...]()
        while reply is not None:
            failed_tries = (*failed_tries, *reply.failed_tries)
            attempt = replace(_attempt(task, plan, reply), failed_tries=failed_tries)
            # A chain of one step is a judged model.
            name = chain.steps[len(steps)].name if chain and len(chain.steps) > 1 else ""
            if reply.answer is None:
                where = f"step '{name}': " if name else ""
                return as_attempt(replace(attempt, error=f"{where}{attempt.error}"), first, steps)
            step = step_of(plan.request, reply.answer, reply, plan.started, name)
            try:
                kept = await trajectory.continued(steps, step)
            except FunctionFailure as error:
                # The fault of the suite, not of the prompt.
                return as_attempt(replace(attempt, answer=None, error=f"tool results: {error}"), first, steps)
            if kept is None:
                return as_attempt(attempt, first, [*steps, step])
            steps.append(kept)
            self._record.add_step(task.key, len(steps), kept, same=self._deterministic[task.model.name])
            plan = CallPlan(trajectory.request(steps))
            reply = await self._call(task, plan.request, len(steps))
        return None

    async def _call(self, task: Task, request: Request, number: int) -> Reply | None:
        """Make the call after a `number` of steps. Equal steps of the chains in one try are one call, which they share.

        So what only one of them does with an answer is seen without the variance of the steps before it.
        """
        if not self._prepared.chain_of(task.key.variant):
            return await self._engine.call(request)
        key = (task.model.name, task.case.name, task.repeat, number, digest(request.as_dict()))
        if (recorded := self._recorded_step(task, number, key[-1])) is not None:
            return recorded
        if key in self._shared:
            return await self._shared[key]
        future = self._shared[key] = asyncio.get_running_loop().create_future()
        if len(self._shared) > _MOST_SHARED:
            del self._shared[next(iter(self._shared))]
        try:
            reply = await self._engine.call(request)
            future.set_result(reply)
        finally:
            if not future.done():
                future.cancel()
        if reply is None:
            self._shared.pop(key, None)
        return reply

    def _recorded_step(self, task: Task, number: int, request_hash: str) -> Reply | None:
        """Return the reply to an equal step of another chain in the same try, from before the run was interrupted."""
        for variant in self._prepared.prompts_of(task.model):
            steps = self._record.steps(replace(task.key, variant=slot_of(variant))) if variant != task.variant else ()
            if len(steps) > number and (step := steps[number]).request_hash == request_hash:
                waits = (step.queue_ms, step.cost, step.limit_ms, step.backoff_ms)
                return Reply(step.answer, None, step.tries, (), *waits)
        return None

    async def _score(self, task: Task, attempt: Attempt) -> None:
        if self._judging is None:
            await self._keep(task, score_attempt(self._prepared, task.case, attempt))
            return
        await self._judging.acquire()
        self._engine.spawn(self._judge(self._judging, task, attempt))

    async def _judge(self, slots: asyncio.Semaphore, task: Task, attempt: Attempt) -> None:
        try:
            if (judged := await self._judges.judge(task.case, attempt)) is not None:
                await self._keep(task, judged)
            else:
                self._unjudged.add(task.key)
        finally:
            slots.release()

    def _disable(self, model: str, why: str) -> None:
        if model in self.rejecting:
            return
        self.rejecting[model] = why
        self._gone.add(model)
        # Without a model that nothing depends on, the others are still judged.
        if model in self._prepared.decisive:
            self._engine.down.setdefault(model, why)
        self._listen(Notice(why))

    def _report_refused(self, task: Task, failure: ProviderFailure, word: str) -> None:
        # Once for each word and prompt: the provider knows what `capabilities.toml` does not.
        key = (task.model.name, task.key.variant, word)
        if key in self._refused:
            return
        self._refused.add(key)
        prompt = task.variant.prompt.locations if task.variant else {}
        location = task.model.locations.get(word) or prompt.get(word)
        where = f"{location}: " if location else ""
        self._listen(Notice(f"{where}'{word}' in the config of {task.model.name} was refused: {failure.message}"))

    def _kept(self, task: Task) -> Attempt | None:
        found = self._record.attempt(task.key) if task.key in self._unjudged else None
        # `recorded`, because its recording is there already.
        return replace(found, answer=replace(found.answer, recorded=True)) if found and found.answer else None

    async def _keep(self, task: Task, attempt: Attempt) -> None:
        self._uncommitted.append((_as_billed(attempt), self._deterministic[task.model.name]))
        # All attempts that end in the same turn of the loop are committed together.
        await asyncio.sleep(0)
        batch, self._uncommitted = self._uncommitted, []
        if not batch:
            return
        self._record.add(batch)
        self._judges.settle(attempt for attempt, _ in batch)
        for one, _ in batch:
            self._listen(AttemptDone(one))


def _attempt(task: Task, plan: CallPlan, reply: Reply) -> Attempt:
    return Attempt(
        key=task.key,
        outcome=Outcome.ERRORED,
        request_hash=digest(plan.request.as_dict()),
        answer=reply.answer,
        error=reply.failure.message if reply.failure else None,
        tries=reply.tries,
        failed_tries=reply.failed_tries,
        queue_ms=reply.queue_ms,
        limit_ms=reply.limit_ms,
        backoff_ms=reply.backoff_ms,
        started=plan.started,
        fallback=str(reply.fallback) if reply.fallback and reply.answer else None,
        cost=reply.cost,
    )


def _as_billed(attempt: Attempt) -> Attempt:
    # Return the attempt with the cost of this run: none for a cached answer, whose checks saw its price.
    if attempt.tries:
        return attempt
    return replace(attempt, cost=sum((step.cost or 0.0 for step in attempt.steps if step.tries), 0.0))
