"""Whole answers as JSON text, in two tables of `runs.sqlite`: recordings, and the cache that all processes share.

The text of a recorded answer is in the table `answer`, where attempts have it too.
"""

import json
import sqlite3
from dataclasses import asdict, fields, replace

from promptbench.core.canonical import compact_encoder, digest_text, escape_surrogates
from promptbench.core.clock import now
from promptbench.core.types import Answer, ToolCall, Usage
from promptbench.store.run_table import RunTable

# These describe one call, not the answer, so replaying them would be wrong.
_PER_CALL = ("limits", "first_token_ms")
# The fields with what they are if they are left out.
_USUAL = {item.name: item.default for item in fields(Answer) if item.name not in _PER_CALL}
_encode = compact_encoder(sort_keys=True)


def dumps(answer: Answer) -> str:
    """Return an answer as JSON with its text unchanged, without the fields that describe one call only."""
    kept = {name: value for name, usual in _USUAL.items() if (value := getattr(answer, name)) not in (usual, ())}
    kept |= {name: round(value, 3) for name, value in kept.items() if name.endswith("_ms")}
    kept["params"] = dict(answer.params)
    if answer.usage is not None:
        # Not `asdict`, which copies the numbers: that takes six times as long.
        kept["usage"] = {
            item.name: value for item in fields(Usage) if (value := getattr(answer.usage, item.name)) is not None
        }
    if answer.calls:
        kept["calls"] = [asdict(call) for call in answer.calls]
    return escape_surrogates(_encode(kept))


def loads(written: str, text: str | None = None) -> Answer:
    """Return the answer that `dumps` wrote, in this version or an earlier one; `text` is its text if kept apart."""
    data = json.loads(written) | ({} if text is None else {"text": text})
    calls = tuple(ToolCall(**call) for call in data.get("calls", ()))
    return Answer(**{**data, "usage": Usage(**data["usage"]) if data.get("usage") else None, "calls": calls})


def text_hash(text: str | None) -> bytes | None:
    """Return the key of a text in the table `answer`: the bytes of its `digest_text`."""
    return None if text is None else bytes.fromhex(digest_text(text).removeprefix("sha256:"))


def keep_text(connection: sqlite3.Connection, text: str) -> bytes | None:
    """Insert a text that is not there yet, and return its key. The caller holds a transaction."""
    key = text_hash(text)
    connection.execute("INSERT OR IGNORE INTO answer (hash, text) VALUES (?, ?)", [key, text])
    return key


def record(
    connection: sqlite3.Connection,
    request_hash: str,
    model: str,
    answer: Answer,
    *,
    deterministic: bool,
    at: str,
    key: bytes | None = None,
) -> None:
    """Insert or replace the recording of a request; `key` is that of its text if it is kept already.

    The caller holds a transaction.
    """
    # Line ends do not enter the hash, and a lone surrogate is not UTF-8: such a text stays in the recording.
    if "\r" in answer.text or escape_surrogates(answer.text) != answer.text:
        key = None
    else:
        key, answer = key or keep_text(connection, answer.text), replace(answer, text="")
    connection.execute(
        "INSERT OR REPLACE INTO recording VALUES (?, ?, ?, ?, ?, ?)",
        [request_hash, model, int(deterministic), dumps(answer), at, key],
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
