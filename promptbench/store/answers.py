"""Whole answers as JSON text, in two tables of `runs.sqlite`: recordings, and the cache that all processes share."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, fields

from promptbench.core.canonical import escape_surrogates
from promptbench.core.clock import now
from promptbench.core.types import Answer, ToolCall, Usage
from promptbench.store.run_table import RunTable

# These describe one call, not the answer, so replaying them would be wrong.
_PER_CALL = ("limits", "first_token_ms")


def dumps(answer: Answer) -> str:
    """Return an answer as JSON with its text unchanged, without the fields that describe one call only."""
    kept = {item.name: getattr(answer, item.name) for item in fields(answer) if item.name not in _PER_CALL}
    kept |= {"params": dict(answer.params), "usage": asdict(answer.usage) if answer.usage else None}
    kept |= {"calls": [asdict(call) for call in answer.calls]}
    return escape_surrogates(json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def loads(text: str) -> Answer:
    """Return the answer that `dumps` wrote."""
    data = json.loads(text)
    calls = tuple(ToolCall(**call) for call in data.get("calls", ()))
    return Answer(**{**data, "usage": Usage(**data["usage"]) if data["usage"] else None, "calls": calls})


def record(
    connection: sqlite3.Connection, request_hash: str, model: str, answer: Answer, *, deterministic: bool, at: str
) -> None:
    """Insert or replace the recording of a request. The caller holds a transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO recording VALUES (?, ?, ?, ?, ?)",
        [request_hash, model, int(deterministic), dumps(answer), at],
    )


class CacheTable(RunTable):
    """The `cache` table."""

    def find(self, key: str) -> Answer | None:
        """Return the cached answer for a key, or None."""
        row = self._row("SELECT answer FROM cache WHERE key = ?", [key])
        return None if row is None else loads(row[0])

    def keep(self, key: str, model: str, answer: Answer) -> None:
        """Commit an answer, replacing an earlier one."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO cache (key, model, answer, kept) VALUES (?, ?, ?, ?)",
                [key, model, dumps(answer), now()],
            )
