"""Attempts and judge calls as rows of `runs.sqlite`."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from promptbench.core.types import (
    Answer,
    Attempt,
    AttemptKey,
    FailedTry,
    FailureKind,
    Judging,
    Outcome,
    Repair,
    Rung,
    Score,
    ToolCall,
    Usage,
)
from promptbench.store import answers

# The kind of the failure that left an attempt without an answer.
FAILURE = """CASE WHEN outcome = 'errored' AND answer_hash IS NULL THEN (
    SELECT kind FROM failed_try AS failed WHERE failed.run = attempt.run AND failed.variant = attempt.variant
    AND failed.model = attempt.model AND failed.case_name = attempt.case_name AND failed.repeat = attempt.repeat
    AND failed.started = attempt.started ORDER BY try DESC LIMIT 1) END"""
# Of `attempt` joined with `answer`.
COLUMNS = (
    "variant, model, case_name, repeat, outcome, request_hash, answer.text, model_returned, params, finish_reason, "
    "structured, rung, well_formed, repairs, scores, error, tries, queue_ms, provider_ms, input_tokens, "
    "output_tokens, cached_tokens, reasoning_tokens, cost, started, connect_ms, first_byte_ms, limit_ms, backoff_ms, "
    f"fallback, calls, {FAILURE}"
)
# The provider that replays answers and never makes a call.
_RECORDED = "recorded/"


def read(row: tuple[Any, ...]) -> Attempt:
    """Return the attempt in a row of `COLUMNS`."""
    (variant, model, case, repeat, outcome, request, text, returned, params, finish, structured) = row[:11]
    (rung, well_formed, repairs, scores, error, tries, queue, provider, *tokens, cost, started) = row[11:25]
    connect, first_byte, limit, backoff, fallback, calls, failure = row[25:]
    answer = None
    if text is not None:
        answer = Answer(
            text,
            returned,
            json.loads(params),
            Usage(*tokens) if tokens[0] is not None else None,
            finish,
            provider or 0.0,
            bool(structured),
            recorded=not tries or model.startswith(_RECORDED),
            connect_ms=connect,
            first_byte_ms=first_byte,
            calls=tuple(ToolCall(*call) for call in json.loads(calls or "[]")),
        )
    return Attempt(
        key=AttemptKey(variant, model, case, repeat),
        outcome=Outcome(outcome),
        request_hash=request,
        answer=answer,
        rung=Rung(rung) if rung else None,
        well_formed=bool(well_formed),
        repairs=tuple(Repair(*item) for item in json.loads(repairs)),
        scores=tuple(Score(*item) for item in json.loads(scores)),
        error=error,
        tries=tries,
        queue_ms=queue,
        limit_ms=limit or 0.0,
        backoff_ms=backoff or 0.0,
        cost=cost,
        started=started,
        fallback=fallback,
        failed_tries=failed_tries(failure),
    )


def failed_tries(kind: str | None) -> tuple[FailedTry, ...]:
    """Return the failed call of an attempt without an answer by the kind in `FAILURE`."""
    return (FailedTry(FailureKind(kind), "", None, 0.0),) if kind else ()


JUDGING_COLUMNS = "request_hash, judge, case_name, text_hash, answer, verdict, error, tries, queue_ms, cost, started"


def keep_judging(connection: sqlite3.Connection, run: str, judging: Judging, *, deterministic: bool) -> None:
    """Insert or replace a judge call and the recording of its answer. The caller holds a transaction."""
    answer = judging.answer
    values = [
        run,
        judging.request_hash,
        judging.judge,
        judging.case,
        judging.text_hash,
        answer.model if answer else None,
        answers.dumps(answer) if answer else None,
        judging.verdict,
        judging.error,
        judging.tries,
        judging.queue_ms,
        judging.cost,
        judging.started,
    ]
    connection.execute(f"INSERT OR REPLACE INTO judging VALUES ({', '.join('?' * len(values))})", values)
    if answer is not None and not answer.recorded:
        at = judging.started
        answers.record(connection, judging.request_hash, judging.judge, answer, deterministic=deterministic, at=at)


def read_judging(row: tuple[Any, ...]) -> Judging:
    """Return the judge call in a row of `JUDGING_COLUMNS`."""
    request, judge, case, text, answer, verdict, error, tries, queue, cost, started = row
    found = answers.loads(answer) if answer is not None else None
    return Judging(request, judge, case, text, found, verdict, error, tries, queue, cost, started)
