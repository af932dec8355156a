"""The migration that keeps every answer's text once, under the bytes of its hash instead of 71 characters."""

_FIRST = (
    "run, variant, model, case_name, repeat, outcome, request_hash",
    "model_returned, params, finish_reason, structured, rung, well_formed, repairs, scores, error, tries, queue_ms, "
    "provider_ms, input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost, started, connect_ms, "
    "first_byte_ms, limit_ms, backoff_ms, fallback, calls, steps",
)

# `_open` defines the functions. Rows of texts belong into a table with rowids: without, a row is at most a quarter of
# a page, and the rest of its text takes pages of its own.
STATEMENTS = (
    "PRAGMA legacy_alter_table = ON",  # Views are not checked between two statements.
    "ALTER TABLE answer RENAME TO answer_before",
    "ALTER TABLE attempt RENAME TO attempt_before",
    "ALTER TABLE recording RENAME TO recording_before",
    "DROP INDEX recording_model",
    "CREATE TABLE answer (hash BLOB PRIMARY KEY, text TEXT NOT NULL) STRICT",
    "INSERT INTO answer SELECT hash_bytes(hash), text FROM answer_before",
    """CREATE TABLE attempt (
        run TEXT NOT NULL REFERENCES run (id),
        variant TEXT NOT NULL,
        model TEXT NOT NULL,
        case_name TEXT NOT NULL,
        repeat INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        request_hash TEXT NOT NULL,
        answer_hash BLOB REFERENCES answer (hash),
        model_returned TEXT,
        params TEXT,
        finish_reason TEXT,
        structured INTEGER,
        rung TEXT,
        well_formed INTEGER NOT NULL,
        repairs TEXT NOT NULL,
        scores TEXT NOT NULL,
        error TEXT,
        tries INTEGER NOT NULL,
        queue_ms REAL NOT NULL,
        provider_ms REAL,
        input_tokens INTEGER,
        output_tokens INTEGER,
        cached_tokens INTEGER,
        reasoning_tokens INTEGER,
        cost REAL,
        started TEXT NOT NULL,
        connect_ms REAL,
        first_byte_ms REAL,
        limit_ms REAL,
        backoff_ms REAL,
        fallback TEXT,
        calls TEXT,
        steps INTEGER,
        PRIMARY KEY (run, variant, model, case_name, repeat)
    ) STRICT, WITHOUT ROWID""",
    f"INSERT INTO attempt SELECT {_FIRST[0]}, hash_bytes(answer_hash), {_FIRST[1]} FROM attempt_before",
    """CREATE TABLE recording (
        request_hash TEXT PRIMARY KEY,
        model TEXT NOT NULL,
        deterministic INTEGER NOT NULL,
        answer TEXT NOT NULL,
        recorded TEXT NOT NULL,
        answer_hash BLOB
    ) STRICT""",
    # A text with a lone surrogate, which is an escape in JSON, is not UTF-8: it stays where it is.
    """INSERT INTO recording
        SELECT request_hash, model, deterministic,
            CASE WHEN text = json_extract(before.answer, '$.text')
                THEN json_set(before.answer, '$.text', '') ELSE before.answer END,
            recorded, CASE WHEN text = json_extract(before.answer, '$.text') THEN hash END
        FROM recording_before AS before LEFT JOIN answer ON hash = text_hash(
            CASE WHEN instr(before.answer, '\\ud') = 0 THEN json_extract(before.answer, '$.text') END)""",
    "CREATE INDEX recording_model ON recording (model, deterministic)",
    "DROP TABLE attempt_before",
    "DROP TABLE recording_before",
    "DROP TABLE answer_before",
    # As before: people read the hash as text.
    "DROP VIEW attempt_with_answer",
    f"""CREATE VIEW attempt_with_answer AS
        SELECT {_FIRST[0]}, 'sha256:' || lower(hex(answer_hash)) AS answer_hash, {_FIRST[1]}, text AS answer
        FROM attempt LEFT JOIN answer ON hash = answer_hash""",
    "PRAGMA legacy_alter_table = OFF",
)
