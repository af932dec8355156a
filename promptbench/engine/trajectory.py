"""Attempts of several calls: the requests that follow from their steps, and the attempt that the steps make.

The model continues because its tools have results, because the case has several turns, or because a chain has a next
step.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from promptbench.core.canonical import digest
from promptbench.core.types import Answer, Attempt, Message, Request, Step, Usage
from promptbench.engine.prepare.prepared_suite import (
    PreparedCase,
    PreparedModel,
    PreparedSuite,
    UnreadableStep,
    Variant,
)
from promptbench.engine.prepare.tool_results import ToolResults
from promptbench.gateway import Reply
from promptbench.prompts.chain import Chain


@dataclass(frozen=True, slots=True)
class ToolTrajectory:
    """What follows from the steps of an attempt: the model gets the results of its tools until it calls none."""

    first: Request
    tools: ToolResults

    def request(self, steps: Sequence[Step]) -> Request:
        """Return the request after these steps."""
        return next_request(self.first, steps)

    async def continued(self, steps: Sequence[Step], step: Step) -> Step | None:
        """Return `step`, which comes after `steps`, as it is recorded before the next call; None if it is the last.

        Raises FunctionFailure if what the model needs to continue is not there.
        """
        if not step.answer.calls or len(steps) + 1 >= self.tools.most:
            return None
        earlier, began = [call for one in steps for call in one.answer.calls], time.perf_counter()
        results = await self.tools.results(earlier, step.answer.calls)
        tool_ms = (time.perf_counter() - began) * 1000
        return replace(step, results=results, source=self.tools.hash, tool_ms=tool_ms)

    def led_to(self, attempt: Attempt) -> bool:
        """Return whether the suite as it is now would still make the recorded steps, given the answers."""
        *steps, last = attempt.steps
        at_limit = len(attempt.steps) == self.tools.most
        return all(step.source == self.tools.hash for step in steps) and (at_limit or not last.answer.calls)


@dataclass(frozen=True, slots=True)
class AnswerTrajectory:
    """As `ToolTrajectory`, where each request has the answers before it: of turns, or of the steps of a chain.

    `ask` returns the request after these answers. It raises UnreadableStep if the last one ends the attempt.
    """

    ask: Callable[[Sequence[str]], Request]
    length: int

    def request(self, steps: Sequence[Step]) -> Request:
        return self.ask([step.answer.text for step in steps])

    async def continued(self, steps: Sequence[Step], step: Step) -> Step | None:
        return step if self._continues([*steps, step]) else None

    def led_to(self, attempt: Attempt) -> bool:
        steps = attempt.steps
        with suppress(UnreadableStep):
            same = (digest(self.request(steps[:n]).as_dict()) == step.request_hash for n, step in enumerate(steps))
            return all(same) and not self._continues(steps)
        return False

    def _continues(self, steps: Sequence[Step]) -> bool:
        with suppress(UnreadableStep):
            return len(steps) < self.length and bool(self.request(steps))
        return False


Trajectory = ToolTrajectory | AnswerTrajectory


def trajectory_of(
    prepared: PreparedSuite, model: PreparedModel, variant: Variant | None, case: PreparedCase, repeat: int
) -> Trajectory | None:
    """Return what leads from one step of an attempt to the next; None if it is a single call."""
    if variant and isinstance(variant.prompt, Chain):
        return AnswerTrajectory(partial(prepared.request, model, variant, case, repeat), len(variant.prompt.steps))
    if case.turns:

        def ask(answers: Sequence[str]) -> Request:
            # Providers refuse empty messages.
            if not all(map(str.strip, answers)):
                raise UnreadableStep("the answer is empty")
            history = list(case.history)
            for text, turn in zip(answers, case.turns[1:], strict=False):
                history += [Message("assistant", text), Message("user", turn.user)]
            return prepared.request(model, variant, replace(case, history=tuple(history)), repeat)

        return AnswerTrajectory(ask, len(case.turns))
    if case.tools and variant and variant.prompt.tools and model.uses_prompt:
        return ToolTrajectory(prepared.request(model, variant, case, repeat), case.tools)
    return None


def next_request(first: Request, steps: Sequence[Step]) -> Request:
    """Return the request after these steps: the first one, and each answer with the results of its tools."""
    messages = list(first.messages)
    for number, step in enumerate(steps, 1):
        answer = step.answer
        # A few servers give calls no id, and the results name them by it.
        calls = [replace(call, id=call.id or f"call_{number}_{at}") for at, call in enumerate(answer.calls, 1)]
        # The calls are the last line of the text.
        said = answer.text.rpartition("\n")[0]
        messages.append(Message("assistant", said, tuple(calls), turn=answer.turn))
        messages += [Message("tool", result, call_id=call.id) for call, result in zip(calls, step.results, strict=True)]
    return replace(first, messages=tuple(messages))


def step_of(request: Request, answer: Answer, reply: Reply, started: str, name: str) -> Step:
    """Return the step of a call, without results."""
    if request.model.provider == "python" and answer.usage is None:
        answer = replace(answer, usage=Usage(0, 0))  # A function takes no tokens, so those of a chain are known.
    return Step(
        digest(request.as_dict()),
        answer,
        tries=reply.tries,
        queue_ms=reply.queue_ms,
        limit_ms=reply.limit_ms,
        backoff_ms=reply.backoff_ms,
        cost=reply.cost,
        started=started,
        name=name,
    )


def as_attempt(attempt: Attempt, first: Request, steps: Sequence[Step]) -> Attempt:
    """Return the attempt of the last request as that of all steps, with their sums if it has an answer."""
    started = steps[0].started if steps else attempt.started
    attempt = replace(attempt, request_hash=digest(first.as_dict()), steps=tuple(steps), started=started)
    if attempt.answer is None:
        return attempt
    answers, costs = [step.answer for step in steps], [step.cost for step in steps]
    usages = [answer.usage for answer in answers if answer.usage]
    usage = Usage(*(_sum(usages, field.name) for field in fields(Usage))) if len(usages) == len(steps) else None
    times = {name: _sum(answers, name) for name in ("provider_ms", "connect_ms", "first_byte_ms")}
    waits = {name: _sum(steps, name) for name in ("queue_ms", "limit_ms", "backoff_ms")}
    return replace(
        attempt,
        answer=replace(attempt.answer, usage=usage, by_batch=any(it.by_batch for it in answers), **times),
        # With one answer from the cache, the attempt says nothing new.
        tries=sum(step.tries for step in steps) if all(step.tries for step in steps) else 0,
        cost=None if None in costs else sum(filter(None, costs)),
        **waits,
    )


def _sum(items: Sequence[Any], name: str) -> Any:
    """Return the sum of a field that every item has, None if one has none."""
    values = [getattr(item, name) for item in items]
    return None if None in values else sum(values)
