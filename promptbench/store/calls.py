"""Logged calls, as they were imported: a table of `runs.sqlite`, where each call is once."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from promptbench.core.call_filter import CallFilter
from promptbench.core.canonical import canonical, escape_surrogates
from promptbench.core.clock import now
from promptbench.core.errors import InputError
from promptbench.core.types import FailureTier, Json, LoggedCall, Message, Usage
from promptbench.store.database import immediate, storage_errors

BATCH = 1_000
"""Calls that are committed together."""
BATCH_CHARACTERS = 16 * 1024 * 1024
"""Or fewer, when they are as long as this together."""
_WHAT = "run record"
_SHORTEST_START = 6

_DATA = ("variables", "messages", "tags", "extra", "expected", "raw")
"""Columns of JSON."""
_TOKENS = tuple(item.name for item in fields(Usage))
_TEXTS = (
    "answer", "model", "time", "prompt", "prompt_version", "error", "finish_reason", "failed", "format",
)  # fmt: skip
_COLUMNS = ("id", "source", "source_id", *_TEXTS, "tier", "latency_ms", "cost", *_TOKENS, *_DATA, "imported")
_INSERT = f"INSERT OR IGNORE INTO logged_call ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM logged_call"
_texts = attrgetter(*_TEXTS)
_tokens = attrgetter(*_TOKENS)
_NO_TOKENS = (None,) * len(_TOKENS)


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A call that was imported. `id` is the record's own name for it, `call.id` the log's; `source` is the file."""

    id: str
    source: str
    imported: str
    call: LoggedCall


class CallStore:
    """The table, over the connection of the run record."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def add(self, calls: Iterable[LoggedCall], source: str) -> int:
        """Commits calls in batches; one that is there already is left as it is. Returns how many are new."""
        added = 0
        for batch in _batches(calls):
            at = now()
            rows = [_row(call, source, at) for call in batch]
            with storage_errors(self._path, _WHAT), immediate(self._connection):
                before = self._connection.total_changes
                self._connection.executemany(_INSERT, rows)
                added += self._connection.total_changes - before
        return added

    def known(self, calls: Iterable[LoggedCall]) -> int:
        """How many of the calls are there already."""
        with storage_errors(self._path, _WHAT):
            ids = [[call_id(call)] for call in calls]
            return sum(
                self._connection.execute("SELECT 1 FROM logged_call WHERE id = ?", one).fetchone() is not None
                for one in ids
            )

    def find(self, wanted: CallFilter | None = None) -> Iterator[KeptCall]:
        """The calls that a filter lets through, in the order of their import."""
        wanted = wanted or CallFilter()
        where = " WHERE tier IS NOT NULL" if wanted.failed or wanted.tiers else ""
        with storage_errors(self._path, _WHAT):
            for row in self._connection.execute(f"{_SELECT}{where} ORDER BY rowid"):
                kept = _kept(row)
                if wanted.matches(kept.call):
                    yield kept

    def get(self, name: str) -> KeptCall:
        """A call by its id, by six or more letters that its id begins with, or by its id in the log.

        Raises InputError when that is none, or several.
        """
        rows = self._named("id = ?", name)
        if not rows and len(name) >= _SHORTEST_START:
            rows = self._named("id >= ?1 AND id < ?1 || 'z'", name)
        rows = rows or self._named("source_id = ?", name)
        if not rows:
            raise InputError(f"there is no logged call '{name}'", hint="`promptbench failures` lists those that failed")
        if len(rows) > 1:
            raise InputError(f"'{name}' means several logged calls", hint="write more of its id")
        return _kept(rows[0])

    def _named(self, where: str, name: str) -> list[tuple[Any, ...]]:
        with storage_errors(self._path, _WHAT):
            return self._connection.execute(f"{_SELECT} WHERE {where} LIMIT 2", [name]).fetchall()

    def __len__(self) -> int:
        with storage_errors(self._path, _WHAT):
            return int(self._connection.execute("SELECT count(*) FROM logged_call").fetchone()[0])


def call_id(call: LoggedCall) -> str:
    """The name of a call in the record: of its format and content, so that the same call is never there twice."""
    return _id(call, _raw(call))


def _id(call: LoggedCall, raw: str) -> str:
    content = "\0".join((call.format, call.id, call.answer or "", raw))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _raw(call: LoggedCall) -> str:
    if call.raw is None:
        asked = [message.as_dict() for message in call.messages]
        return canonical(_plain([_texts(call), call.variables, asked, call.expected]))
    try:
        return canonical(call.raw)
    except (TypeError, ValueError):
        return canonical(_plain(call.raw))


def _plain(value: Json) -> Json:
    """`value` as JSON can hold it: formats that are no JSON have bytes, dates and infinite numbers."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)


def _row(call: LoggedCall, source: str, at: str) -> tuple[Any, ...]:
    raw = _raw(call)
    return (
        _id(call, raw),
        source,
        _text(call.id),
        *map(_text, _texts(call)),
        call.tier.value if call.tier else None,
        call.latency_ms,
        call.cost,
        *(_tokens(call.usage) if call.usage else _NO_TOKENS),
        None if call.variables is None else _dumps(call.variables),
        _dumps([message.as_dict() for message in call.messages]) if call.messages else "[]",
        _dumps(call.tags) if call.tags else "[]",
        _dumps(call.extra) if call.extra else "{}",
        None if call.expected is None else _dumps(call.expected),
        None if call.raw is None else raw,
        at,
    )


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _dumps(value: Json) -> str:
    try:
        text = _ENCODER.encode(value)
    except (TypeError, ValueError):
        text = _ENCODER.encode(_plain(value))
    return escape_surrogates(text)


def _text(text: str | None) -> str | None:
    return text if text is None or text.isascii() else text.encode("utf-8", "replace").decode()


def _kept(row: tuple[Any, ...]) -> KeptCall:
    data = dict(zip(_COLUMNS, row, strict=True))
    usage = {name: data[name] for name in _TOKENS}
    call = LoggedCall(
        **{name: data[name] for name in _TEXTS},
        id=data["source_id"],
        tier=FailureTier(data["tier"]) if data["tier"] else None,
        latency_ms=data["latency_ms"],
        cost=data["cost"],
        usage=Usage(**usage) if usage["input_tokens"] is not None else None,
        variables=json.loads(data["variables"]) if data["variables"] else None,
        messages=tuple(Message(**item) for item in json.loads(data["messages"])),
        tags=tuple(json.loads(data["tags"])),
        extra=json.loads(data["extra"]),
        expected=json.loads(data["expected"]) if data["expected"] else None,
        raw=json.loads(data["raw"]) if data["raw"] else None,
    )
    return KeptCall(data["id"], data["source"], data["imported"], call)


def _batches(calls: Iterable[LoggedCall]) -> Iterator[list[LoggedCall]]:
    batch: list[LoggedCall] = []
    characters = 0
    for call in calls:
        batch.append(call)
        characters += len(call.answer or "") + sum(len(message.content) for message in call.messages)
        if len(batch) >= BATCH or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
