"""The two ways in which simonw/llm has kept conversations in its database, as messages in OpenAI's form.

Since 0.32 each message is a row that knows the one before it (`messages`, `parts`); a text that borrows from a fragment
is a list of references in the part's payload. Before, a row of `responses` held prompt and answer, and the conversation
was the rows before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from promptbench.core.types import Json
from promptbench.ingest._fields import as_list, as_object, as_text

_MOST = 10_000
_MOST_RESPONSES = 200


def chain(database: sqlite3.Connection, tip: Json, until: Json = None) -> list[dict[str, Json]]:
    """The messages from the first, or the one behind `until`, to `tip`."""
    found: list[dict[str, Json]] = []
    seen: set[str] = set()
    while isinstance(tip, str) and tip != until and tip not in seen and len(found) < _MOST:
        seen.add(tip)
        row = database.execute("SELECT parent_hash, role FROM messages WHERE hash = ?", (tip,)).fetchone()
        if row is None:
            break
        found.append({"role": row["role"], "parts": list(_parts(database, tip))})
        tip = row["parent_hash"]
    return found[::-1]


def _parts(database: sqlite3.Connection, message: str) -> Iterator[dict[str, Json]]:
    rows = database.execute(
        "SELECT type, text, payload FROM parts WHERE message_hash = ? ORDER BY position", (message,)
    ).fetchall()
    for row in rows:
        payload = as_object(row["payload"])
        written = row["text"]
        if written is None and "text_ref" in payload:
            written = "".join(_piece(database, as_object(piece)) for piece in as_list(payload["text_ref"]))
        kind = row["type"] if row["type"] != "attachment" else _media(database, as_object(payload.get("attachment")))
        yield {**payload, "type": kind, **({} if written is None else {"text": written})}


def _media(database: sqlite3.Connection, attachment: dict[str, Json]) -> str:
    """What an attachment is: `image` of `image/png`."""
    row = database.execute("SELECT type FROM attachments WHERE id = ?", (as_text(attachment.get("id")),)).fetchone()
    return _kind(row[0]) if row else "attachment"


def _kind(media: Json) -> str:
    return (as_text(media) or "file").partition("/")[0]


def _piece(database: sqlite3.Connection, piece: dict[str, Json]) -> str:
    if "literal" in piece:
        return as_text(piece["literal"]) or ""
    number = piece.get("fragment")
    if not isinstance(number, int):
        return ""
    row = database.execute("SELECT content FROM fragments WHERE id = ?", (number,)).fetchone()
    return (as_text(row["content"]) or "") if row else ""


def legacy(database: sqlite3.Connection, row: sqlite3.Row, tables: frozenset[str]) -> list[dict[str, Json]]:
    """What was said before the answer of one row of `responses`: that of its conversation, and its own prompt."""
    found: list[dict[str, Json]] = []
    for before in _before(database, row):
        found += [*_prompted(database, before, tables), legacy_answer(database, before, tables)]
    system = _with_fragments(database, row, "system", "\n\n", tables)
    return [*([{"role": "system", "content": system}] if system else []), *found, *_prompted(database, row, tables)]


def _prompted(database: sqlite3.Connection, row: sqlite3.Row, tables: frozenset[str]) -> list[dict[str, Json]]:
    """What the tools answered that the model called before, and what the user said, with what was attached."""
    found: list[dict[str, Json]] = [
        {"role": "tool", "parts": [result]} for result in _tool_results(database, row["id"], tables)
    ]
    said = _with_fragments(database, row, "prompt", "\n", tables)
    parts: list[Json] = [{"type": "text", "text": said}] if said else []
    if "prompt_attachments" in tables:
        attached = database.execute(
            "SELECT type FROM attachments JOIN prompt_attachments ON attachment_id = attachments.id"
            " WHERE response_id = ?",
            (row["id"],),
        ).fetchall()
        parts += [{"type": _kind(media[0])} for media in attached]
    return [*found, {"role": "user", "content": parts}] if parts else found


def _before(database: sqlite3.Connection, row: sqlite3.Row) -> list[sqlite3.Row]:
    """The latest rows of the conversation before this one, in order; ids are in the order of time."""
    if row["conversation_id"] is None:
        return []
    rows = database.execute(
        "SELECT * FROM responses WHERE conversation_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
        (row["conversation_id"], row["id"], _MOST_RESPONSES),
    )
    return rows.fetchall()[::-1]


def _with_fragments(
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


def _tool_results(database: sqlite3.Connection, response: str, tables: frozenset[str]) -> list[dict[str, Json]]:
    if "tool_results" not in tables:
        return []
    rows = database.execute("SELECT * FROM tool_results WHERE response_id = ? ORDER BY id", (response,)).fetchall()
    kept = ("name", "output", "tool_call_id", "exception")
    return [{"type": "tool_result", **{key: row[key] for key in kept if key in row.keys()}} for row in rows]  # noqa: SIM118


def legacy_answer(database: sqlite3.Connection, row: sqlite3.Row, tables: frozenset[str]) -> dict[str, Json]:
    """The answer of one row of `responses`, with the tools that it calls."""
    calls: list[Json] = []
    if "tool_calls" in tables:
        query = "SELECT name, arguments, tool_call_id FROM tool_calls WHERE response_id = ? ORDER BY id"
        calls = [
            {"id": call["tool_call_id"], "name": call["name"], "arguments": call["arguments"] or {}}
            for call in database.execute(query, (row["id"],))
        ]
    return {"role": "assistant", "content": row["response"], "tool_calls": calls}
