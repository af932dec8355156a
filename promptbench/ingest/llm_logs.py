"""The database of simonw/llm: `logs.db`, whose path `llm logs path` prints.

Since 0.32 a row of `turns` is a call; older calls are in `responses`, and a call that is in both is read once. Failed
requests are not logged, so a failure is an answer that does not match its schema, a finish reason, or an exception of a
tool. llm condenses the stored payload of a response; the finish reason stays readable.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall, Rung
from promptbench.ingest._bodies import read_response
from promptbench.ingest._fields import as_list, as_nonblank, as_object, as_text
from promptbench.ingest._records import RecordMap
from promptbench.parsing.json_text import read as read_json
from promptbench.plugins import LogFormatSpec

_MAGIC = b"SQLite format 3\x00"
_NEW = frozenset({"turns", "messages", "parts"})
_OLD = frozenset({"responses", "conversations"})


def matches(file: Log) -> bool:
    """Return True if the file is a database with the tables of llm."""
    if not file.head.startswith(_MAGIC):
        return False
    with suppress(sqlite3.Error, OSError, ValueError), _opened(file) as database:
        tables = _tables(database)
        return tables >= _NEW or tables >= _OLD
    return False


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """Yield the turns, then the responses of older versions that are not turns."""
    location = "the beginning"
    try:
        with _opened(file) as database:
            tables = _tables(database)
            for kind, row in _rows(database, tables):
                location = f"{kind} {row['id']}"
                try:
                    if call := _build_call(database, row, kind, tables):
                        yield call
                except (IndexError, sqlite3.InterfaceError, UnicodeError) as error:
                    yield BadRecord(location, f"not a row of llm: {error}")
    except (sqlite3.Error, UnicodeError) as error:  # The message of an error may name what is not text.
        yield BadRecord(f"after {location}", f"the database cannot be read: {error}")


@contextmanager
def _opened(file: Log) -> Iterator[sqlite3.Connection]:
    """Yield the database, read-only. One that is compressed or from a pipe is read into memory: it is not redacted."""
    with closing(sqlite3.connect(":memory:") if file.path is None else _connect(file.path)) as database:
        if file.path is None:
            with file.open() as source:
                content = source.read()
            # A database in memory cannot be in WAL mode, which these two bytes declare.
            database.deserialize(content[:18] + content[18:20].replace(b"\2", b"\1") + content[20:])
        database.execute("PRAGMA temp_store = MEMORY")
        database.row_factory = sqlite3.Row
        database.text_factory = lambda value: value.decode("utf-8", "replace")
        yield database


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _tables(database: sqlite3.Connection) -> frozenset[str]:
    return frozenset(row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))


def _rows(database: sqlite3.Connection, tables: frozenset[str]) -> Iterator[tuple[str, sqlite3.Row]]:
    if tables >= _NEW:
        for row in database.execute("SELECT * FROM turns ORDER BY id"):
            yield "turn", row
    if tables >= _OLD:
        only = "WHERE id NOT IN (SELECT id FROM turns)" if tables >= _NEW else ""
        for row in database.execute(f"SELECT * FROM responses {only} ORDER BY id"):
            yield "response", row


_MAP = RecordMap(
    name="llm_logs",
    keys=frozenset({"id"}),
    fields={
        "id": "id",
        "time": "datetime_utc",
        "model": "resolved_model | model",
        "request": "messages",
        "response": "answer",
        "verdict": "verdict",
        "finish_reason": "response_json.choices.0.finish_reason | response_json.finish_reason | "
        "response_json.stop_reason | response_json.candidates.0.finishReason | "
        "response_json.incomplete_details.reason",
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "cached_tokens": "token_details.prompt_tokens_details.cached_tokens | token_details.cache_read_input_tokens",
        "reasoning_tokens": "token_details.completion_tokens_details.reasoning_tokens",
        "latency_ms": "duration_ms",
        "params": "options_json",
        "schema": "schema",
        "thread": "thread_id | conversation_id",
        "model_alias": "alias",
        "reasoning": "reasoning",
    },
    placed=frozenset(
        {"parent_message_hash", "tip_message_hash", "schema_id", "prompt", "system", "prompt_json", "response"}
    ),
)


def _build_call(database: sqlite3.Connection, row: sqlite3.Row, kind: str, tables: frozenset[str]) -> LoggedCall | None:
    fields = {key: None if isinstance(row[key], bytes) else row[key] for key in row.keys()}  # noqa: SIM118
    if kind == "turn":
        sent = read_chain(database, fields.get("parent_message_hash"))
        answered = read_chain(database, fields.get("tip_message_hash"), fields.get("parent_message_hash"))
        answer = {"role": "assistant", "parts": [part for message in answered for part in message["parts"]]}
    else:
        sent = read_legacy(database, row, tables)
        answer = read_legacy_answer(database, row, tables)
    schema = _load_schema(database, fields.get("schema_id"))
    aside = {
        "schema": schema,
        "verdict": _explain_mismatch(read_response(answer).answer, schema) or _find_tool_exception(sent),
        "alias": fields.get("model") if fields.get("resolved_model") else None,
    }
    return _MAP.build({**fields, "messages": sent, "answer": answer}, f"{kind} {row['id']}", aside)


def _load_schema(database: sqlite3.Connection, key: Json) -> dict[str, Json]:
    if not isinstance(key, str):
        return {}
    row = database.execute("SELECT content FROM schemas WHERE id = ?", (key,)).fetchone()
    return as_object(row[0]) if row else {}


def _find_tool_exception(messages: list[dict[str, Json]]) -> str | None:
    for message in reversed(messages):
        if message.get("role") == "assistant":
            break
        for part in map(as_object, as_list(message.get("parts"))):
            if raised := as_nonblank(part.get("exception")):
                return f"tool exception: {raised}"
    return None


def _explain_mismatch(answer: str | None, schema: Mapping[str, Json]) -> str | None:
    if answer is None or not schema:
        return None
    reading = read_json(answer)
    if reading.rung is not Rung.RAW:
        return "schema: the answer is not JSON"
    from promptbench.schemas.validator import compile_schema

    with suppress(ValueError):
        if problem := compile_schema(schema).misfit(reading.value):
            return f"schema: {problem}"
    return None


SPEC = LogFormatSpec(matches=matches, read=read, specificity=100)


# Since llm 0.32 each message is a row that refers to the previous one (`messages`, `parts`); a text that includes a
# fragment is a list of references in the payload of its part. Before, a row of `responses` had prompt and answer, and
# the conversation was the earlier rows.
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
