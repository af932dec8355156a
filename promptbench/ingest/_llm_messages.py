"""Conversations in both database layouts of simonw/llm, as messages in OpenAI's form.

Since 0.32 each message is a row that refers to the previous one (`messages`, `parts`); a text that includes a fragment
is a list of references in the payload of its part. Before, a row of `responses` had prompt and answer, and the
conversation was the earlier rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from promptbench.core.types import Json
from promptbench.ingest._fields import as_list, as_object, as_text

_MAX_MESSAGES = 10_000
_MAX_RESPONSES = 200


def read_chain(database: sqlite3.Connection, tip: Json, until: Json = None) -> list[dict[str, Json]]:
    """Return the messages up to `tip`, from the first one or the one after `until`."""
    found: list[dict[str, Json]] = []
    seen: set[str] = set()
    while isinstance(tip, str) and tip != until and tip not in seen and len(found) < _MAX_MESSAGES:
        seen.add(tip)
        row = database.execute("SELECT parent_hash, role FROM messages WHERE hash = ?", (tip,)).fetchone()
        if row is None:
            break
        found.append({"role": row["role"], "parts": list(_read_parts(database, tip))})
        tip = row["parent_hash"]
    return found[::-1]


def _read_parts(database: sqlite3.Connection, message: str) -> Iterator[dict[str, Json]]:
    rows = database.execute(
        "SELECT type, text, payload FROM parts WHERE message_hash = ? ORDER BY position", (message,)
    ).fetchall()
    for row in rows:
        payload = as_object(row["payload"])
        written = row["text"]
        if written is None and "text_ref" in payload:
            written = "".join(_read_piece(database, as_object(piece)) for piece in as_list(payload["text_ref"]))
        kind = (
            row["type"] if row["type"] != "attachment" else _find_kind(database, as_object(payload.get("attachment")))
        )
        yield {**payload, "type": kind, **({} if written is None else {"text": written})}


def _find_kind(database: sqlite3.Connection, attachment: dict[str, Json]) -> str:
    row = database.execute("SELECT type FROM attachments WHERE id = ?", (as_text(attachment.get("id")),)).fetchone()
    return _kind(row[0]) if row else "attachment"


def _kind(media: Json) -> str:
    return (as_text(media) or "file").partition("/")[0]


def _read_piece(database: sqlite3.Connection, piece: dict[str, Json]) -> str:
    if "literal" in piece:
        return as_text(piece["literal"]) or ""
    number = piece.get("fragment")
    if not isinstance(number, int):
        return ""
    row = database.execute("SELECT content FROM fragments WHERE id = ?", (number,)).fetchone()
    return (as_text(row["content"]) or "") if row else ""


def read_legacy(database: sqlite3.Connection, row: sqlite3.Row, tables: frozenset[str]) -> list[dict[str, Json]]:
    """Return the messages before the answer of one row of `responses`: its conversation, and its own prompt."""
    found: list[dict[str, Json]] = []
    for before in _find_earlier(database, row):
        found += [*_read_prompt(database, before, tables), read_legacy_answer(database, before, tables)]
    system = _join_fragments(database, row, "system", "\n\n", tables)
    return [*([{"role": "system", "content": system}] if system else []), *found, *_read_prompt(database, row, tables)]


def _read_prompt(database: sqlite3.Connection, row: sqlite3.Row, tables: frozenset[str]) -> list[dict[str, Json]]:
    found: list[dict[str, Json]] = [
        {"role": "tool", "parts": [result]} for result in _find_tool_results(database, row["id"], tables)
    ]
    prompt = _join_fragments(database, row, "prompt", "\n", tables)
    parts: list[Json] = [{"type": "text", "text": prompt}] if prompt else []
    if "prompt_attachments" in tables:
        attached = database.execute(
            "SELECT type FROM attachments JOIN prompt_attachments ON attachment_id = attachments.id"
            " WHERE response_id = ?",
            (row["id"],),
        ).fetchall()
        parts += [{"type": _kind(media[0])} for media in attached]
    return [*found, {"role": "user", "content": parts}] if parts else found


def _find_earlier(database: sqlite3.Connection, row: sqlite3.Row) -> list[sqlite3.Row]:
    if row["conversation_id"] is None:
        return []
    rows = database.execute(
        "SELECT * FROM responses WHERE conversation_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
        (row["conversation_id"], row["id"], _MAX_RESPONSES),
    )
    return rows.fetchall()[::-1]


def _join_fragments(
    database: sqlite3.Connection, row: sqlite3.Row, kind: str, between: str, tables: frozenset[str]
) -> str:
    pieces: list[str] = []
    if f"{kind}_fragments" in tables:
        query = (
            f"SELECT content FROM {kind}_fragments JOIN fragments ON fragment_id = fragments.id"
            ' WHERE response_id = ? ORDER BY "order"'
        )
        pieces = [as_text(found[0]) or "" for found in database.execute(query, (row["id"],))]
    return between.join(piece for piece in (*pieces, as_text(row[kind]) or "") if piece)


def _find_tool_results(database: sqlite3.Connection, response: str, tables: frozenset[str]) -> list[dict[str, Json]]:
    if "tool_results" not in tables:
        return []
    rows = database.execute("SELECT * FROM tool_results WHERE response_id = ? ORDER BY id", (response,)).fetchall()
    kept = ("name", "output", "tool_call_id", "exception")
    return [{"type": "tool_result", **{key: row[key] for key in kept if key in row.keys()}} for row in rows]  # noqa: SIM118


def read_legacy_answer(database: sqlite3.Connection, row: sqlite3.Row, tables: frozenset[str]) -> dict[str, Json]:
    """Return the answer of one row of `responses`, with its tool calls."""
    calls: list[Json] = []
    if "tool_calls" in tables:
        query = "SELECT name, arguments, tool_call_id FROM tool_calls WHERE response_id = ? ORDER BY id"
        calls = [
            {"id": call["tool_call_id"], "name": call["name"], "arguments": call["arguments"] or {}}
            for call in database.execute(query, (row["id"],))
        ]
    return {"role": "assistant", "content": row["response"], "tool_calls": calls}
