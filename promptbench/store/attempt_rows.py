"""Attempts and judge calls as rows of `runs.sqlite`."""

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

from promptbench.core.canonical import canonical
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
    Step,
    ToolCall,
    Usage,
)
from promptbench.store import answers
from promptbench.store.run_table import Value

# The kind of the failure that left an attempt without an answer.
FAILURE = """CASE WHEN outcome = 'errored' AND answer_id IS NULL THEN (
    SELECT kind FROM failed_try AS failed WHERE failed.run = attempt.run AND failed.variant = attempt.variant
    AND failed.model = attempt.model AND failed.case_name = attempt.case_name AND failed.repeat = attempt.repeat
    AND failed.started = attempt.started ORDER BY try DESC LIMIT 1) END"""
# Of `attempt` joined with `answer`.
COLUMNS = (
    "variant, model, case_name, repeat, outcome, request_hash, answer.text, model_returned, params, finish_reason, "
    "structured, rung, well_formed, repairs, scores, error, tries, queue_ms, provider_ms, input_tokens, "
    "output_tokens, cached_tokens, reasoning_tokens, cost, started, connect_ms, first_byte_ms, limit_ms, backoff_ms, "
    f"fallback, calls, steps, {FAILURE}"
)
# From the columns of `attempt`, in their order.
_INSERT = f"""INSERT OR REPLACE INTO attempt_row VALUES (
    (SELECT id FROM run_column WHERE (run, variant, model) = (?1, ?2, ?3)), ?4, ?5, ?6, ?7,
    (SELECT id FROM answer WHERE hash = ?8),
    (SELECT id FROM answer_source WHERE (model, model_returned, params, structured) = (?3, ?9, ?10, ?12)),
    ?11, ?13, ?14, ?15, coalesce((SELECT id FROM usual_scores WHERE scores = ?16), ?16),
    {", ".join(f"?{number}" for number in range(17, 34))})"""
# From an attempt of the run ?12, with what scoring decides.
_INSERT_SCORED = """INSERT OR REPLACE INTO attempt_row
    SELECT (SELECT id FROM run_column WHERE (run, variant, model) = (?1, ?2, ?3)), case_name, repeat, ?6, request_hash,
        answer_id, source_id, finish_reason, ?7, ?8, ?9,
        coalesce((SELECT id FROM usual_scores WHERE scores = ?10), ?10), ?11,
        tries, queue_ms, provider_ms, input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost, started,
        connect_ms, first_byte_ms, limit_ms, backoff_ms, fallback, calls, steps
    FROM attempt_row WHERE case_name = ?4 AND repeat = ?5
    AND run_column = (SELECT id FROM run_column WHERE (run, variant, model) = (?12, ?2, ?3))"""
# Scores that other attempts will have too: no value but 0 and 1, no reason.
_COMMON = re.compile(r'\[(?:\["[^"\\]*",(?:true|false),[01]\.0\],?)*\]')
# The provider that replays answers and never makes a call.
_RECORDED = "recorded/"


def read(row: tuple[Any, ...], steps: Sequence[Step]) -> Attempt:
    """Return the attempt in a row of `COLUMNS`, with its steps."""
    (variant, model, case, repeat, outcome, request, text, returned, params, finish, structured) = row[:11]
    (rung, well_formed, repairs, scores, error, tries, queue, provider, *tokens, cost, started) = row[11:25]
    connect, first_byte, limit, backoff, fallback, calls, _, failure = row[25:]
    key, answer = AttemptKey(variant, model, case, repeat), None
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
            by_batch=bool(tries) and provider is None,
        )
    return Attempt(
        key=key,
        outcome=Outcome(outcome),
        request_hash=request,
        answer=answer,
        rung=Rung(rung) if rung else None,
        well_formed=bool(well_formed),
        repairs=parse(Repair, repairs),
        scores=parse(Score, scores),
        error=error,
        tries=tries,
        queue_ms=queue,
        limit_ms=limit or 0.0,
        backoff_ms=backoff or 0.0,
        cost=cost,
        started=started,
        fallback=fallback,
        failed_tries=failed_tries(failure),
        steps=tuple(steps),
    )


@lru_cache(maxsize=4096)
def parse(kind: Callable[..., Any], written: str) -> tuple[Any, ...]:
    """Return the scores or repairs in a column."""
    # Most answers have the scores of others: all checks passed.
    return tuple(kind(*item) for item in json.loads(written))


# The same as `astuple`, without its copies of plain values.
_SCORE = attrgetter(*(field.name for field in fields(Score)))
_COMPACT = json.JSONEncoder(separators=(",", ":"))  # `json.dumps` makes one for each text
_USUAL = ("", 1.0, False)  # the last three, which are then left out


def scored_columns(attempt: Attempt) -> tuple[Any, ...]:
    """Return the columns that scoring decides: outcome, rung, well_formed, repairs, scores and error."""
    return (
        attempt.outcome.value,
        attempt.rung and attempt.rung.value,
        int(attempt.well_formed),
        json.dumps([[repair.name, repair.position] for repair in attempt.repairs]) if attempt.repairs else "[]",
        _COMPACT.encode([values if values[3:] != _USUAL else values[:3] for values in map(_SCORE, attempt.scores)]),
        attempt.error,
    )


def keep(
    connection: sqlite3.Connection,
    run: str,
    attempt: Attempt,
    model: str,
    *,
    deterministic: bool,
    swap: bool = False,
) -> None:
    """Insert or replace an attempt, with the recording of the `model`'s answer. The caller holds a transaction.

    A `swap` is at a chain with steps of two versions, and no attempt of the run: its outcome and its calls are kept.
    """
    execute = connection.execute
    answer, key, at = attempt.answer, attempt.key, attempt.started
    for number, step in enumerate(attempt.steps, 1):
        keep_step(connection, run, key, number, step)
    for number, failed in enumerate(attempt.failed_tries, 1):
        execute(
            f"INSERT OR REPLACE INTO failed_try VALUES ({', '.join('?' * 11)})",
            [
                *(run, key.variant, key.model, key.case, key.repeat, at, number),
                *(failed.kind, failed.status, failed.message, failed.provider_ms),
            ],
        )
    if swap:
        row = (run, key.variant, key.model, key.case, key.repeat, attempt.outcome)
        execute("INSERT OR REPLACE INTO swap VALUES (?, ?, ?, ?, ?, ?)", row)
        return
    usage = answer.usage if answer else None
    timed = None if attempt.cached or (answer and answer.by_batch) else answer
    answer_hash = None
    if answer is not None:
        text = answer.text.encode("utf-8", "replace").decode()
        answer_hash = answers.keep_text(connection, text)
        if not answer.recorded and attempt.fallback is None:
            last = attempt.steps[-1] if attempt.steps else Step(attempt.request_hash, answer)
            answers.record(
                connection,
                last.request_hash,
                model,
                last.answer,
                deterministic=deterministic,
                at=at,
                key=answer_hash if last.answer is answer else None,
            )
    outcome, *scored = scored_columns(attempt)
    # Resuming a run replaces its errored attempts.
    insert(
        connection,
        [
            run,
            key.variant,
            key.model,
            key.case,
            key.repeat,
            outcome,
            answers.pack_hash(attempt.request_hash),
            answer_hash,
            answer.model if answer else None,
            canonical(dict(answer.params)) if answer else None,
            answer.finish_reason if answer else None,
            int(answer.structured) if answer else None,
            *scored,
            attempt.tries,
            attempt.queue_ms,
            timed.provider_ms if timed else None,
            usage.input_tokens if usage else None,
            usage.output_tokens if usage else None,
            usage.cached_tokens if usage else None,
            usage.reasoning_tokens if usage else None,
            attempt.cost,
            at,
            timed.connect_ms if timed else None,
            timed.first_byte_ms if timed else None,
            *(attempt.limit_ms, attempt.backoff_ms, attempt.fallback),
            json.dumps([(call.name, call.arguments, call.id) for call in answer.calls])
            if answer and answer.calls
            else None,
            len(attempt.steps) or None,
        ],
    )


def insert(connection: sqlite3.Connection, row: Sequence[Value]) -> None:
    """Insert or replace an attempt with the columns of `attempt`, the hash of its request packed.

    Its text is there already. The caller holds a transaction.
    """
    _keep_shared(connection, row[:3], row[15])
    connection.execute(answers.KEEP_SOURCE, [row[2], row[8], row[9], row[11]])
    connection.execute(_INSERT, row)


def insert_scored(
    connection: sqlite3.Connection, run: str, source: str, key: Sequence[Value], scored: Sequence[Value]
) -> None:
    """Insert or replace the attempt of the run `source` in another run, with new `scored_columns`."""
    _keep_shared(connection, [run, *key[:2]], scored[4])
    connection.execute(_INSERT_SCORED, [run, *key, *scored, source])


def _keep_shared(connection: sqlite3.Connection, column: Sequence[Value], scores: Value) -> None:
    connection.execute("INSERT OR IGNORE INTO run_column (run, variant, model) VALUES (?, ?, ?)", column)
    if _COMMON.fullmatch(str(scores)):
        connection.execute("INSERT OR IGNORE INTO usual_scores (scores) VALUES (?)", [scores])


# The table of attempts at chains with steps of two versions, which are no attempts of the run.
SWAPS = (
    "ALTER TABLE step ADD COLUMN name TEXT NOT NULL DEFAULT ''",
    """CREATE TABLE swap (
        run TEXT NOT NULL REFERENCES run (id),
        variant TEXT NOT NULL, model TEXT NOT NULL, case_name TEXT NOT NULL, repeat INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        PRIMARY KEY (run, variant, model, case_name, repeat)
    ) STRICT, WITHOUT ROWID""",
)
STEP_COLUMNS = {
    "run": "the run",
    **dict.fromkeys(("variant", "model", "case_name", "repeat"), "as in attempt"),
    "step": "counts from 1, within one attempt",
    "request_hash": "hash of this request: the first one, and all answers and results before this step",
    "answer": "JSON: the whole answer, with the tools that it calls",
    "results": "JSON list of texts: what these tools returned, in their order; empty for the last step",
    "source": "hash of what decides the results: the script, the function's file, 'max steps'",
    "tool_ms": "time of the tools, in milliseconds; not part of the attempt's times",
    **dict.fromkeys(("tries", "queue_ms", "limit_ms", "backoff_ms", "cost"), "as in attempt, of this call"),
    "started": "ISO 8601, UTC",
    "name": "the name of the step of a chain, empty in other attempts",
}
SWAP_COLUMNS = {
    "run": "the run",
    "variant": "hash of the chain with production's steps up to one that was changed, and the candidate's after it",
    **dict.fromkeys(("model", "case_name", "repeat", "outcome"), "as in attempt"),
}

_STEP = "request_hash, answer, results, source, tool_ms, tries, queue_ms, limit_ms, backoff_ms, cost, started, name"
STEPS = f"""SELECT {_STEP} FROM step WHERE run = ? AND variant = ? AND model = ? AND case_name = ? AND repeat = ?
    ORDER BY step"""


def keep_step(connection: sqlite3.Connection, run: str, key: AttemptKey, number: int, step: Step) -> None:
    """Insert or replace a step of an attempt. The caller holds a transaction."""
    values = [
        *(run, key.variant, key.model, key.case, key.repeat, number),
        *(step.request_hash, answers.dumps(step.answer), json.dumps(step.results), step.source, step.tool_ms),
        *(step.tries, step.queue_ms, step.limit_ms, step.backoff_ms, step.cost, step.started, step.name),
    ]
    connection.execute(f"INSERT OR REPLACE INTO step VALUES ({', '.join('?' * len(values))})", values)


def read_step(row: tuple[Any, ...]) -> Step:
    """Return the step in a row of `STEPS`."""
    request, answer, results, *rest = row
    return Step(request, answers.loads(answer), tuple(json.loads(results)), *rest)


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
