"""Read attempts back from the rows of `runs.sqlite`."""

from __future__ import annotations

import json
from typing import Any

from promptbench.core.types import Answer, Attempt, AttemptKey, Outcome, Repair, Rung, Score, Usage

# Of `attempt` joined with `answer`.
COLUMNS = (
    "variant, model, case_name, repeat, outcome, request_hash, answer.text, model_returned, params, finish_reason, "
    "structured, rung, well_formed, repairs, scores, error, tries, queue_ms, provider_ms, input_tokens, "
    "output_tokens, cached_tokens, reasoning_tokens, cost, started, connect_ms, first_byte_ms, limit_ms, backoff_ms, "
    "fallback"
)
# The provider that replays answers and never makes a call.
_RECORDED = "recorded/"


def read(row: tuple[Any, ...]) -> Attempt:
    """Return the attempt in a row of `COLUMNS`."""
    (variant, model, case, repeat, outcome, request, text, returned, params, finish, structured) = row[:11]
    (rung, well_formed, repairs, scores, error, tries, queue, provider, *tokens, cost, started) = row[11:25]
    connect, first_byte, limit, backoff, fallback = row[25:]
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
    )
