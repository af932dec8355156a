"""What judges were asked in a run, and what they answered: a table of `runs.sqlite`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from promptbench.core.types import Answer, Judging
from promptbench.store import answers


def keep(connection: sqlite3.Connection, run: str, judging: Judging, *, deterministic: bool) -> None:
    """Writes one over an earlier one of the same question, and a recording. The caller has a transaction."""
    answer = judging.answer
    connection.execute(
        f"INSERT OR REPLACE INTO judging VALUES ({', '.join('?' * 13)})",
        [
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
        ],
    )
    if answer is not None and not answer.recorded:
        answers.record(
            connection,
            judging.request_hash,
            judging.judge,
            answer,
            deterministic=deterministic,
            at=judging.started,
        )


def find(connection: sqlite3.Connection, run: str, request_hash: str) -> Answer | None:
    """The answer with a verdict that a judge gave in a run; one without is to be asked for again."""
    row = connection.execute(
        "SELECT answer FROM judging WHERE run = ? AND request_hash = ? AND verdict NOTNULL", [run, request_hash]
    ).fetchone()
    return None if row is None else answers.loads(row[0])


def of_run(connection: sqlite3.Connection, run: str) -> Iterator[Judging]:
    """All of a run, one at a time."""
    for row in connection.execute(f"SELECT {_COLUMNS} FROM judging WHERE run = ?", [run]):
        yield _judging(row)


_COLUMNS = "request_hash, judge, case_name, text_hash, answer, verdict, error, tries, queue_ms, cost, started"


def _judging(row: tuple[Any, ...]) -> Judging:
    request, judge, case, text, answer, verdict, error, tries, queue, cost, started = row
    found = answers.loads(answer) if answer is not None else None
    return Judging(request, judge, case, text, found, verdict, error, tries, queue, cost, started)
