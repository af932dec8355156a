"""Whole answers as text, for recordings and for the cache."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, fields

from promptbench.core.canonical import escape_surrogates
from promptbench.core.types import Answer, Usage

_OF_ONE_CALL = ("limits", "first_token_ms")


def dumps(answer: Answer) -> str:
    """An answer as JSON, its text untouched; without what told about one call only."""
    kept = {item.name: getattr(answer, item.name) for item in fields(answer) if item.name not in _OF_ONE_CALL}
    kept |= {"params": dict(answer.params), "usage": asdict(answer.usage) if answer.usage else None}
    return escape_surrogates(json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def loads(text: str) -> Answer:
    """The answer that `dumps` wrote."""
    data = json.loads(text)
    return Answer(**{**data, "usage": Usage(**data["usage"]) if data["usage"] else None})


def record(
    connection: sqlite3.Connection, request_hash: str, model: str, answer: Answer, *, deterministic: bool, at: str
) -> None:
    """Writes a recording, in the place of the one before. The caller has a transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO recording VALUES (?, ?, ?, ?, ?)",
        [request_hash, model, int(deterministic), dumps(answer), at],
    )
