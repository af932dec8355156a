"""Logged calls as they were imported: a table of `runs.sqlite` that holds each call once."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from promptbench.core.call_filter import CallFilter
from promptbench.core.canonical import canonical, compact_encoder, escape_surrogates
from promptbench.core.clock import now
from promptbench.core.errors import InputError
from promptbench.core.types import FailureTier, Json, LoggedCall, Message, StoredCall, Usage
from promptbench.store.run_table import RunTable

# A batch is committed when it has this many calls or this many characters.
BATCH = 2_000
BATCH_CHARACTERS = 16 * 1024 * 1024
_SHORTEST_PREFIX = 6

CallRow = tuple[Any, ...]

_JSON = ("variables", "messages", "tags", "extra", "expected", "raw")
_TOKENS = tuple(item.name for item in fields(Usage))
_TEXTS = (
    "answer", "model", "time", "prompt", "prompt_version", "error", "finish_reason", "failed", "format",
)  # fmt: skip
_COLUMNS = ("id", "source", "source_id", *_TEXTS, "tier", "latency_ms", "cost", *_TOKENS, *_JSON, "line", "imported")
_INSERT = f"INSERT OR IGNORE INTO logged_call ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
# A model by its full name, or by its name without the provider.
_OF_MODEL = "model IN (?, ?) AND answer NOTNULL"
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM logged_call"
_texts = attrgetter(*_TEXTS)
_tokens = attrgetter(*_TOKENS)
_NO_TOKENS = (None,) * len(_TOKENS)
_write = compact_encoder()


class CallStore(RunTable):
    """The `logged_call` table."""

    def add(self, calls: Iterable[LoggedCall], source: str, line_of: Callable[[], bytes | None] = lambda: None) -> int:
        """Commit calls as `batch_rows` returns them. Return the number of new calls."""
        return self.add_rows(batch_rows(calls, source, line_of))

    def add_rows(self, batches: Iterable[Sequence[CallRow]]) -> int:
        """Commit each batch of rows, skipping known calls. Return the number of new calls."""
        added = 0
        # The indexes of 100,000 calls, which are read at random; SQLite would keep 2 MB.
        self._connection.execute("PRAGMA cache_size = -6144")
        for rows in batches:
            at = now()
            with self.transaction() as connection:
                before = connection.total_changes
                connection.executemany(_INSERT, ((*row, at) for row in rows))
                added += connection.total_changes - before
        return added

    def has_lines(self) -> bool:
        """Return True if the digest of any line is in the table."""
        return self._row("SELECT 1 FROM logged_call WHERE line IS NOT NULL LIMIT 1") is not None

    def find_line(self, line: bytes) -> str | None:
        """Return the tier of the call in the line with this digest, empty without one; None for an unknown line."""
        row = self._row("SELECT tier FROM logged_call WHERE line = ?", [line])
        return None if row is None else row[0] or ""

    def known(self, calls: Iterable[LoggedCall]) -> int:
        """Return the number of the calls that are already in the table."""
        ids = [[call_id(call)] for call in calls]
        return sum(self._row("SELECT 1 FROM logged_call WHERE id = ?", one) is not None for one in ids)

    def find(self, wanted: CallFilter | None = None) -> Iterator[StoredCall]:
        """Yield the calls that match a filter, in the order of their import."""
        wanted = wanted or CallFilter()
        where = " WHERE tier IS NOT NULL" if wanted.failed or wanted.tiers else ""
        for row in self._rows(f"{_SELECT}{where} ORDER BY rowid"):
            stored = _stored(row)
            if wanted.matches(stored.call):
                yield stored

    def get(self, name: str) -> StoredCall:
        """Return a call by its id, by a prefix of six or more letters, or by its id in the log.

        Raises:
            InputError: no call matches, or several do.
        """
        rows = self._named("id = ?", name)
        if not rows and len(name) >= _SHORTEST_PREFIX:
            rows = self._named("id >= ?1 AND id < ?1 || 'z'", name)
        rows = rows or self._named("source_id = ?", name)
        if not rows:
            raise InputError(f"logged call '{name}' not found", hint="`promptbench failures` lists the failed ones")
        if len(rows) > 1:
            raise InputError(f"'{name}' matches several logged calls", hint="write more of its id")
        return _stored(rows[0])

    def has_answers(self, model: str) -> bool:
        """Return True if there is an answer of a model, which logs may name without its provider."""
        return self._row(f"SELECT 1 FROM logged_call WHERE {_OF_MODEL} LIMIT 1", _names_of(model)) is not None

    def index_answers(self, model: str) -> dict[int, int]:
        """Return the rows with the answers of a model by a hash of their input; the newest of equal inputs."""
        rows = self._rows(f"SELECT rowid, messages, variables FROM logged_call WHERE {_OF_MODEL}", _names_of(model))
        return {
            hash(_input_key(_messages(messages), json.loads(variables or "{}"))): rowid
            for rowid, messages, variables in rows
        }

    def answer_to(
        self, index: Mapping[int, int], messages: Sequence[Message], variables: Mapping[str, Json]
    ) -> LoggedCall | None:
        """Return the call in an index of `index_answers` with an input, or None."""
        key = _input_key(messages, variables)
        rowid = index.get(hash(key))
        row = None if rowid is None else self._row(f"{_SELECT} WHERE rowid = ?", [rowid])
        call = _stored(row).call if row else None
        return call if call and _input_key(call.messages, call.variables or {}) == key else None

    def _named(self, where: str, name: str) -> list[tuple[Any, ...]]:
        return list(self._rows(f"{_SELECT} WHERE {where} LIMIT 2", [name]))

    def __len__(self) -> int:
        return next(int(row[0]) for row in self._rows("SELECT count(*) FROM logged_call"))


def call_id(call: LoggedCall) -> str:
    """Return a digest of a call's format and content, so that the same call is stored once."""
    return _id(call, _raw(call))


def _id(call: LoggedCall, raw: str) -> str:
    content = "\0".join((call.format, call.id, call.answer or "", raw))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _raw(call: LoggedCall) -> str:
    if call.raw is None:
        messages = [message.as_dict() for message in call.messages]
        return canonical(_plain([_texts(call), call.variables, messages, call.expected]))
    try:
        return canonical(call.raw)
    except (TypeError, ValueError):
        return canonical(_plain(call.raw))


def _plain(value: Json) -> Json:
    # Log formats other than JSON have bytes, dates and infinite numbers.
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)


def _row(call: LoggedCall, source: str) -> CallRow:
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
    )


def _dumps(value: Json) -> str:
    try:
        text = _write(value)
    except (TypeError, ValueError):
        text = _write(_plain(value))
    return escape_surrogates(text)


def _text(text: str | None) -> str | None:
    return text if text is None or text.isascii() else text.encode("utf-8", "replace").decode()


def _stored(row: CallRow) -> StoredCall:
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
        messages=_messages(data["messages"]),
        tags=tuple(json.loads(data["tags"])),
        extra=json.loads(data["extra"]),
        expected=json.loads(data["expected"]) if data["expected"] else None,
        raw=json.loads(data["raw"]) if data["raw"] else None,
    )
    return StoredCall(data["id"], data["source"], call)


def _messages(text: str) -> tuple[Message, ...]:
    return tuple(Message(**item) for item in json.loads(text))


def _names_of(model: str) -> list[str]:
    return [model, model.partition("/")[2]]


def _input_key(messages: Sequence[Message], variables: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    """Return what identifies the input of a call: its messages, or its variables if it has none."""
    if messages:
        return tuple((message.role.replace("tool", "user"), message.content.strip()) for message in messages)
    return (("vars", canonical(_plain(dict(variables)))),)


def batch_rows(
    calls: Iterable[LoggedCall], source: str, line_of: Callable[[], bytes | None]
) -> Iterator[list[CallRow]]:
    """Yield the rows of calls from the file `source`, as many as are committed at once.

    `line_of` returns the digest of the line that the last call is from.
    """
    rows: list[CallRow] = []
    characters = 0
    for call in calls:
        rows.append((*_row(call, source), line_of()))
        characters += len(call.answer or "") + sum(len(message.content) for message in call.messages)
        if len(rows) >= BATCH or characters >= BATCH_CHARACTERS:
            yield rows
            rows, characters = [], 0
    if rows:
        yield rows
