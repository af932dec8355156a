"""An attempt whose tools have results: the requests that follow from its steps, and the attempt that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from promptbench.core.canonical import digest
from promptbench.core.types import Answer, Attempt, Message, Request, Step, Usage
from promptbench.gateway import Reply


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


def step_of(request: Request, answer: Answer, reply: Reply, started: str) -> Step:
    """Return the step of a call, without results."""
    return Step(
        digest(request.as_dict()),
        answer,
        tries=reply.tries,
        queue_ms=reply.queue_ms,
        limit_ms=reply.limit_ms,
        backoff_ms=reply.backoff_ms,
        cost=reply.cost,
        started=started,
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
        answer=replace(attempt.answer, usage=usage, **times),
        # With one answer from the cache, the attempt says nothing new.
        tries=sum(step.tries for step in steps) if all(step.tries for step in steps) else 0,
        cost=None if None in costs else sum(filter(None, costs)),
        **waits,
    )


def _sum(items: Sequence[Any], name: str) -> Any:
    """Return the sum of a field that every item has, None if one has none."""
    values = [getattr(item, name) for item in items]
    return None if None in values else sum(values)
