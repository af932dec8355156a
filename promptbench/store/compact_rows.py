"""The migration that stores what many attempts and recordings share once, under an integer, and hashes as bytes.

`attempt` and `recording` are views from here on, with the names and columns that the tables had. Writers, and queries
by the hash of a request, use the tables below them.
"""

# The last columns of `attempt`, which are the same in `attempt_row`.
_COPIED = (
    "error, tries, queue_ms, provider_ms, input_tokens, output_tokens, cached_tokens, "
    "reasoning_tokens, cost, started, connect_ms, first_byte_ms, limit_ms, backoff_ms, "
    "fallback, calls, steps"
)
# `request_hash` is a text where it is not a hash.
_REQUEST_HASH = """CASE typeof(request_hash) WHEN 'blob' THEN 'sha256:' || lower(hex(request_hash))
            ELSE request_hash END AS request_hash"""

# `_open` defines the function.
STATEMENTS = (
    "PRAGMA legacy_alter_table = ON",  # Views are not checked between two statements.
    "ALTER TABLE answer RENAME TO answer_before",
    "ALTER TABLE attempt RENAME TO attempt_before",
    "ALTER TABLE recording RENAME TO recording_before",
    "DROP INDEX recording_model",
    # An `id` of its own, because VACUUM may change a rowid that has no name.
    "CREATE TABLE answer (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, text TEXT NOT NULL) STRICT",
    """CREATE TABLE run_column (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL REFERENCES run (id),
        variant TEXT NOT NULL,
        model TEXT NOT NULL,
        UNIQUE (run, variant, model)
    ) STRICT""",
    """CREATE TABLE answer_source (
        id INTEGER PRIMARY KEY,
        model TEXT NOT NULL,
        model_returned TEXT NOT NULL,
        params TEXT NOT NULL,
        structured INTEGER NOT NULL,
        UNIQUE (model, model_returned, params, structured)
    ) STRICT""",
    "CREATE TABLE usual_scores (id INTEGER PRIMARY KEY, scores TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE attempt_row (
        run_column INTEGER NOT NULL REFERENCES run_column (id) ON DELETE CASCADE,
        case_name TEXT NOT NULL,
        repeat INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        request_hash ANY NOT NULL,
        answer_id INTEGER REFERENCES answer (id),
        source_id INTEGER REFERENCES answer_source (id),
        finish_reason TEXT,
        rung TEXT,
        well_formed INTEGER NOT NULL,
        repairs TEXT NOT NULL,
        scores ANY NOT NULL,
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
        PRIMARY KEY (run_column, case_name, repeat)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE recording_row (
        request_hash ANY NOT NULL UNIQUE,
        source_id INTEGER NOT NULL REFERENCES answer_source (id),
        deterministic INTEGER NOT NULL,
        answer_id INTEGER REFERENCES answer (id),
        finish_reason TEXT,
        provider_ms REAL,
        connect_ms REAL,
        first_byte_ms REAL,
        input_tokens INTEGER,
        output_tokens INTEGER,
        cached_tokens INTEGER,
        reasoning_tokens INTEGER,
        rest TEXT,
        recorded TEXT NOT NULL
    ) STRICT""",
    "INSERT INTO answer (hash, text) SELECT hash, text FROM answer_before",
    "INSERT INTO run_column (run, variant, model) SELECT DISTINCT run, variant, model FROM attempt_before",
    """INSERT INTO answer_source (model, model_returned, params, structured)
        SELECT DISTINCT model, model_returned, params, structured FROM attempt_before WHERE answer_hash NOTNULL""",
    """INSERT OR IGNORE INTO answer_source (model, model_returned, params, structured)
        SELECT DISTINCT model, json_extract(answer, '$.model'), json_extract(answer, '$.params'),
            coalesce(json_extract(answer, '$.structured'), 0) FROM recording_before""",
    "INSERT INTO usual_scores (scores) SELECT scores FROM attempt_before GROUP BY scores HAVING count(*) > 20",
    f"""INSERT INTO attempt_row
        SELECT run_column.id, case_name, repeat, outcome, pack_hash(request_hash), answer.id, source.id, finish_reason,
            rung, well_formed, repairs, coalesce(usual.id, before.scores), {_COPIED}
        FROM attempt_before AS before CROSS JOIN run_column USING (run, variant, model)
        LEFT JOIN answer ON hash = answer_hash
        LEFT JOIN answer_source AS source ON (source.model, source.model_returned, source.params, source.structured)
            = (before.model, before.model_returned, before.params, before.structured)
        LEFT JOIN usual_scores AS usual ON usual.scores = before.scores""",
    # `rest` is what has no column, without the nulls that earlier versions wrote.
    """INSERT INTO recording_row
        SELECT pack_hash(request_hash), source.id, deterministic, answer.id,
            json_extract(before.answer, '$.finish_reason'), json_extract(before.answer, '$.provider_ms'),
            json_extract(before.answer, '$.connect_ms'), json_extract(before.answer, '$.first_byte_ms'),
            json_extract(before.answer, '$.usage.input_tokens'), json_extract(before.answer, '$.usage.output_tokens'),
            json_extract(before.answer, '$.usage.cached_tokens'),
            json_extract(before.answer, '$.usage.reasoning_tokens'),
            nullif(json_remove(before.answer, '$.model', '$.params', '$.structured', '$.finish_reason',
                '$.provider_ms', '$.connect_ms', '$.first_byte_ms', '$.usage', '$.recorded',
                iif(json_extract(before.answer, '$.reasoning') IS NULL, '$.reasoning', '$.recorded'),
                iif(json_extract(before.answer, '$.turn') IS NULL, '$.turn', '$.recorded'),
                iif(json_extract(before.answer, '$.calls') = '[]', '$.calls', '$.recorded')), '{"text":""}'), recorded
        FROM recording_before AS before
        CROSS JOIN answer_source AS source ON (source.model, source.model_returned, source.params, source.structured)
            = (before.model, json_extract(before.answer, '$.model'), json_extract(before.answer, '$.params'),
                coalesce(json_extract(before.answer, '$.structured'), 0))
        LEFT JOIN answer ON hash = answer_hash""",
    "DROP TABLE attempt_before",
    "DROP TABLE recording_before",
    "DROP TABLE answer_before",
    # Not joins, which SQLite makes for every row that it counts or adds up. Datasette shows no view with bytes unless
    # that has a `rowid`.
    f"""CREATE VIEW attempt AS
        SELECT run, variant, model, case_name, repeat, outcome, {_REQUEST_HASH},
            (SELECT hash FROM answer WHERE answer.id = row.answer_id) AS answer_hash,
            (SELECT model_returned FROM answer_source AS source WHERE id = row.source_id) AS model_returned,
            (SELECT params FROM answer_source AS source WHERE id = row.source_id) AS params, finish_reason,
            (SELECT structured FROM answer_source AS source WHERE id = row.source_id) AS structured,
            rung, well_formed, repairs,
            coalesce((SELECT usual.scores FROM usual_scores AS usual WHERE usual.id = row.scores), scores) AS scores,
            {_COPIED}, answer_id, NULL AS rowid
        FROM run_column JOIN attempt_row AS row ON row.run_column = run_column.id""",
    # An object's null in the second argument of `json_patch` is a field that the answer does not have.
    f"""CREATE VIEW recording AS
        SELECT {_REQUEST_HASH}, source.model, deterministic,
            json_patch(
                json_set(coalesce(rest, '{{"text":""}}'), '$.model', model_returned, '$.params', json(params)),
                json_object('structured', json(iif(structured, 'true', 'null')), 'finish_reason', finish_reason,
                    'provider_ms', provider_ms, 'connect_ms', connect_ms, 'first_byte_ms', first_byte_ms,
                    'usage', json(iif(coalesce(input_tokens, output_tokens, cached_tokens, reasoning_tokens) IS NULL,
                        'null', json_object('input_tokens', input_tokens, 'output_tokens', output_tokens,
                            'cached_tokens', cached_tokens, 'reasoning_tokens', reasoning_tokens))))
            ) AS answer, recorded, answer.hash AS answer_hash,
            request_hash AS request_key, row.rowid AS rowid
        FROM recording_row AS row JOIN answer_source AS source ON source.id = row.source_id
        LEFT JOIN answer ON answer.id = row.answer_id""",
    "PRAGMA legacy_alter_table = OFF",
)

COLUMNS = {
    "answer": {
        "id": "its number in this file",
        "hash": "sha256 of the text with LF line ends, as 32 bytes",
        "text": "a model's answer, kept once",
    },
    "run_column": {
        "id": "its number in this file",
        "run": "the run",
        "variant": "as in attempt",
        "model": "as in attempt",
    },
    "answer_source": {
        "id": "its number in this file",
        "model": "provider/name",
        "model_returned": "the model's name as the provider returned it",
        "params": "JSON: the parameters that the provider used",
        "structured": "1 when the provider enforced the output schema",
    },
    "usual_scores": {"id": "its number in this file", "scores": "as in attempt"},
    "attempt_row": {
        "run_column": "id of its run, variant and model in run_column",
        **dict.fromkeys(("case_name", "repeat", "outcome"), "as in attempt"),
        "request_hash": "as in attempt, as 32 bytes",
        "answer_id": "id in answer; null if there is none",
        "source_id": "id in answer_source; null if there is no answer",
        **dict.fromkeys(("finish_reason", "rung", "well_formed", "repairs"), "as in attempt"),
        "scores": "id in usual_scores, or the text itself",
        **dict.fromkeys(_COPIED.split(", "), "as in attempt"),
    },
    "recording_row": {
        "request_hash": "as in recording, as 32 bytes",
        "source_id": "id in answer_source",
        "deterministic": "as in recording",
        "answer_id": "id in answer; null if the text is in `rest`",
        "finish_reason": "as in attempt",
        **dict.fromkeys(("provider_ms", "connect_ms", "first_byte_ms"), "as in attempt, rounded to microseconds"),
        **dict.fromkeys(("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"), "as in attempt"),
        "rest": "JSON: the fields of the answer that have no column; null if it has none",
        "recorded": "ISO 8601, UTC",
    },
}
