"""Calls to judge models, with their answers: a table of `runs.sqlite`."""

from __future__ import annotations

import sqlite3
from typing import Any

from promptbench.core.types import Judging
from promptbench.store import answers

COLUMNS = "request_hash, judge, case_name, text_hash, answer, verdict, error, tries, queue_ms, cost, started"


def keep(connection: sqlite3.Connection, run: str, judging: Judging, *, deterministic: bool) -> None:
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


def read(row: tuple[Any, ...]) -> Judging:
    """Return the judge call in a row of `COLUMNS`."""
    request, judge, case, text, answer, verdict, error, tries, queue, cost, started = row
    found = answers.loads(answer) if answer is not None else None
    return Judging(request, judge, case, text, found, verdict, error, tries, queue, cost, started)
