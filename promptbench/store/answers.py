"""Whole answers as JSON text, in two tables of `runs.sqlite`: recordings, and the cache that all processes share.

The text of a recorded answer is in the table `answer`, where attempts have it too.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from promptbench.core.canonical import compact_encoder, digest_text, escape_surrogates
from promptbench.core.clock import now
from promptbench.core.types import Answer, ToolCall, Usage
from promptbench.store.run_table import RunTable, Value

# These describe one call, not the answer, so replaying them would be wrong.
_PER_CALL = ("limits", "first_token_ms")
# The fields with what they are if they are left out.
_USUAL = {item.name: item.default for item in fields(Answer) if item.name not in _PER_CALL}
_encode = compact_encoder(sort_keys=True)

_SOURCE = "model, model_returned, params, structured"
# The columns of `recording_row` that are fields of an answer, or describe its recording.
_VALUES = (
    *("deterministic", "recorded", "finish_reason", "provider_ms", "connect_ms", "first_byte_ms"),
    *(item.name for item in fields(Usage)),
)
# A source that is there is left alone, and one with a null, of an attempt without an answer, is ignored.
KEEP_SOURCE = f"INSERT OR IGNORE INTO answer_source ({_SOURCE}) VALUES (?, ?, ?, ?)"
# Recordings with the answer's source and the hash of its text.
RECORDINGS = f"""SELECT {_SOURCE}, request_hash, hash, {", ".join(_VALUES)}, rest FROM recording_row
    JOIN answer_source ON answer_source.id = source_id LEFT JOIN answer ON answer.id = answer_id"""
_INSERT_RECORDING = f"""INTO recording_row (source_id, request_hash, answer_id, {", ".join(_VALUES)}, rest) VALUES (
    (SELECT id FROM answer_source WHERE ({_SOURCE}) = (?1, ?2, ?3, ?4)), ?5, (SELECT id FROM answer WHERE hash = ?6),
    {", ".join(f"?{number}" for number in range(7, 8 + len(_VALUES)))})"""


def _fields(answer: Answer) -> dict[str, Any]:
    """Return what is kept of an answer: its parameters, and all else that is not as usual."""
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
    return kept


def dumps(answer: Answer) -> str:
    """Return an answer as JSON with its text unchanged, without the fields that describe one call only."""
    return escape_surrogates(_encode(_fields(answer)))


def loads(written: str, text: str | None = None) -> Answer:
    """Return the answer that `dumps` wrote, in this version or an earlier one; `text` is its text if kept apart."""
    data = json.loads(written) | ({} if text is None else {"text": text})
    calls = tuple(ToolCall(**call) for call in data.get("calls", ()))
    return Answer(**{**data, "usage": Usage(**data["usage"]) if data.get("usage") else None, "calls": calls})


def pack_hash(tagged: str) -> str | bytes:
    """Return a tagged hash as 32 bytes, and any other text as it is."""
    return bytes.fromhex(tagged[7:]) if len(tagged) == 71 and tagged.startswith("sha256:") else tagged


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
    kept = _fields(answer)
    params = escape_surrogates(_encode(kept.pop("params")))
    source = [model, kept.pop("model"), params, int(kept.pop("structured", False))]
    kept |= {**kept.pop("usage", {}), "deterministic": int(deterministic), "recorded": at}
    values = [kept.pop(name, None) for name in _VALUES]
    rest = None if kept == {"text": ""} else escape_surrogates(_encode(kept))
    insert_recording(connection, [*source, pack_hash(request_hash), key, *values, rest])


def insert_recording(connection: sqlite3.Connection, row: Sequence[Value], *, replace: bool = True) -> None:
    """Insert a row of `RECORDINGS`, or `replace` the one that is there. The caller has inserted its text."""
    connection.execute(KEEP_SOURCE, row[:4])
    connection.execute(f"INSERT OR {'REPLACE' if replace else 'IGNORE'} {_INSERT_RECORDING}", row)


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
