"""The tables of `runs.sqlite`: runs, their attempts, the recordings of every real answer, and the cache."""

from __future__ import annotations

SET = "runs"

STEPS: dict[str, tuple[str, ...]] = {
    "0001_tables": (
        """CREATE TABLE run (
            id TEXT PRIMARY KEY,
            plan TEXT NOT NULL,
            suite TEXT NOT NULL,
            prompt TEXT NOT NULL,
            started TEXT NOT NULL,
            finished TEXT,
            result TEXT,
            sentence TEXT,
            tool_version TEXT NOT NULL,
            facts TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX run_plan ON run (plan, started)",
        """CREATE TABLE variant (
            run TEXT NOT NULL REFERENCES run (id),
            hash TEXT NOT NULL,
            side TEXT NOT NULL,
            name TEXT NOT NULL,
            source TEXT NOT NULL,
            PRIMARY KEY (run, hash)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE answer (
            hash TEXT PRIMARY KEY,
            text TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE attempt (
            run TEXT NOT NULL REFERENCES run (id),
            variant TEXT NOT NULL,
            model TEXT NOT NULL,
            case_name TEXT NOT NULL,
            repeat INTEGER NOT NULL,
            outcome TEXT NOT NULL,
            request_hash TEXT NOT NULL,
            answer_hash TEXT REFERENCES answer (hash),
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
            PRIMARY KEY (run, variant, model, case_name, repeat)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE recording (
            request_hash TEXT PRIMARY KEY,
            model TEXT NOT NULL,
            deterministic INTEGER NOT NULL,
            answer TEXT NOT NULL,
            recorded TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX recording_model ON recording (model)",
        """CREATE VIEW attempt_with_answer AS
            SELECT attempt.*, answer.text AS answer FROM attempt LEFT JOIN answer ON answer.hash = answer_hash""",
        """CREATE VIEW result AS
            SELECT run.suite, attempt.run, variant.side, variant.name AS prompt, attempt.model,
                count(*) AS attempts,
                sum(outcome = 'passed') AS passed,
                sum(outcome = 'failed') AS failed,
                sum(outcome = 'errored') AS errored,
                round(avg(provider_ms), 1) AS mean_ms,
                sum(cost) AS cost
            FROM attempt JOIN run ON run.id = attempt.run
            LEFT JOIN variant ON variant.run = attempt.run AND variant.hash = attempt.variant
            GROUP BY attempt.run, attempt.variant, attempt.model""",
    ),
    "0002_cache": (
        """CREATE TABLE cache (
            key TEXT PRIMARY KEY,
            model TEXT NOT NULL,
            answer TEXT NOT NULL,
            kept TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "DROP VIEW result",
        """CREATE VIEW result AS
            SELECT run.suite, attempt.run, variant.side, variant.name AS prompt, attempt.model,
                count(*) AS attempts,
                sum(outcome = 'passed') AS passed,
                sum(outcome = 'failed') AS failed,
                sum(outcome = 'errored') AS errored,
                sum(tries = 0) AS cached,
                round(avg(provider_ms), 1) AS mean_ms,
                sum(cost) AS cost
            FROM attempt JOIN run ON run.id = attempt.run
            LEFT JOIN variant ON variant.run = attempt.run AND variant.hash = attempt.variant
            GROUP BY attempt.run, attempt.variant, attempt.model""",
    ),
    "0003_times": (
        "ALTER TABLE attempt ADD COLUMN connect_ms REAL",
        "ALTER TABLE attempt ADD COLUMN first_byte_ms REAL",
        "ALTER TABLE attempt ADD COLUMN limit_ms REAL",
        "ALTER TABLE attempt ADD COLUMN backoff_ms REAL",
    ),
    "0004_tries": (
        """CREATE TABLE failed_try (
            run TEXT NOT NULL REFERENCES run (id),
            variant TEXT NOT NULL,
            model TEXT NOT NULL,
            case_name TEXT NOT NULL,
            repeat INTEGER NOT NULL,
            started TEXT NOT NULL,
            try INTEGER NOT NULL,
            kind TEXT NOT NULL,
            status INTEGER,
            message TEXT NOT NULL,
            provider_ms REAL NOT NULL,
            PRIMARY KEY (run, variant, model, case_name, repeat, started, try)
        ) STRICT, WITHOUT ROWID""",
    ),
    "0005_fallback": (
        "ALTER TABLE attempt ADD COLUMN fallback TEXT",
        "DROP VIEW result",
        """CREATE VIEW result AS
            SELECT run.suite, attempt.run, variant.side, variant.name AS prompt, attempt.model,
                count(*) AS attempts,
                sum(outcome = 'passed') AS passed,
                sum(outcome = 'failed') AS failed,
                sum(outcome = 'errored') AS errored,
                sum(fallback NOTNULL) AS by_fallback,
                sum(tries = 0 AND fallback IS NULL) AS cached,
                round(avg(provider_ms) FILTER (WHERE fallback IS NULL), 1) AS mean_ms,
                sum(cost) AS cost
            FROM attempt JOIN run ON run.id = attempt.run
            LEFT JOIN variant ON variant.run = attempt.run AND variant.hash = attempt.variant
            GROUP BY attempt.run, attempt.variant, attempt.model""",
    ),
    "0006_judgings": (
        """CREATE TABLE judging (
            run TEXT NOT NULL REFERENCES run (id),
            request_hash TEXT NOT NULL,
            judge TEXT NOT NULL,
            case_name TEXT NOT NULL,
            text_hash TEXT NOT NULL,
            model_returned TEXT,
            answer TEXT,
            verdict TEXT,
            error TEXT,
            tries INTEGER NOT NULL,
            queue_ms REAL NOT NULL,
            cost REAL,
            started TEXT NOT NULL,
            PRIMARY KEY (run, request_hash)
        ) STRICT, WITHOUT ROWID""",
    ),
}

COLUMNS: dict[str, dict[str, str]] = {
    "run": {
        "id": "name of the run: UTC time of its start and four random letters",
        "plan": "hash of everything that decides what is asked; the same command resumes the run with the same plan",
        "suite": "the suite's name",
        "prompt": "the prompt's name in the store",
        "started": "ISO 8601, UTC",
        "finished": "ISO 8601, UTC; null while it runs or when it was interrupted",
        "result": "PASS, FAIL, INCONCLUSIVE or NO VERDICT",
        "sentence": "the verdict in one sentence",
        "tool_version": "version of promptbench",
        "facts": "JSON: path of the suite, hashes of suite, checks and policy, the policy, the models",
    },
    "variant": {
        "run": "the run",
        "hash": "hash of the prompt version",
        "side": "champion or candidate",
        "name": "how the version is shown",
        "source": "the prompt file's text",
    },
    "answer": {"hash": "sha256 of the text", "text": "a model's answer, kept once"},
    "attempt": {
        "run": "the run",
        "variant": "hash of the prompt version; empty for a model that uses no prompt",
        "model": "provider/name as the suite has it",
        "case_name": "the case",
        "repeat": "counts from 0",
        "outcome": "passed, failed, errored (no answer from the provider, or no verdict from a judge) or skipped",
        "request_hash": "hash of messages, model, parameters, schema and repeat",
        "answer_hash": "the answer's text; null when there is none",
        "model_returned": "the model's name as the provider returned it",
        "params": "JSON: the parameters as the provider took them",
        "finish_reason": "as the provider returned it",
        "structured": "1 when the provider enforced the output schema",
        "rung": "raw, extracted, repaired_safe, repaired_risky or none; null where nothing reads the answer as data",
        "well_formed": "1 when readable at the accept level and valid against the checked schemas",
        "repairs": "JSON list of [name, position in characters]",
        "scores": "JSON list of [check, passed, value, reason, weight, errored]",
        "error": "why there is no answer, or no verdict on it",
        "tries": "calls made for this attempt; 0 when the answer came from the cache",
        "queue_ms": "waiting in promptbench, in milliseconds: for a free slot, for a rate limit, between tries",
        "provider_ms": "waiting for the provider, in milliseconds, last try only; null when nothing was asked",
        "input_tokens": "tokens in, cached ones included",
        "output_tokens": "tokens out",
        "cached_tokens": "part of the input tokens read from the provider's cache",
        "reasoning_tokens": "part of the output tokens spent on thinking",
        "cost": "US dollars; null when the price is unknown, 0 when the answer came from the cache",
        "started": "ISO 8601, UTC",
        "connect_ms": "part of provider_ms: opening the connection; 0 on one that was kept, null without a network",
        "first_byte_ms": "part of provider_ms: from the open connection until the head of the answer was in",
        "limit_ms": "part of queue_ms: waiting for a rate limit",
        "backoff_ms": "part of queue_ms: waiting between tries, and for a model that fell silent",
        "fallback": "the model that answered in its place, which was given up; the attempt is errored all the same",
    },
    "recording": {
        "request_hash": "hash of the request that was answered",
        "model": "provider/name",
        "deterministic": "1 when the model always answers the same",
        "answer": "JSON: the whole answer",
        "recorded": "ISO 8601, UTC",
    },
    "cache": {
        "key": "hash of everything that shapes the answer: the request with its repeat, the model's place and settings",
        "model": "provider/name",
        "answer": "JSON: the whole answer",
        "kept": "ISO 8601, UTC",
    },
    "failed_try": {
        "run": "the run",
        "variant": "as in attempt",
        "model": "as in attempt",
        "case_name": "as in attempt",
        "repeat": "as in attempt",
        "started": "when the attempt was; an attempt that is made again when the run goes on leaves its tries here",
        "try": "counts from 1, within one attempt",
        "kind": "transient, rate_limit, rejected or fatal",
        "status": "HTTP status; null where there was no reply",
        "message": "what went wrong",
        "provider_ms": "waiting for the provider, in milliseconds",
    },
    "judging": {
        "run": "the run",
        "request_hash": "hash of the question to the judge",
        "judge": "provider/name as the check has it",
        "case_name": "the case",
        "text_hash": "hash of the judged answer, as in answer; the same answer is judged once in a run",
        "model_returned": "the judge's name as its provider returned it",
        "answer": "JSON: the judge's whole answer; null when there is none",
        "verdict": "what the check reads in it: pass, fail or a rating; null when there is none to read",
        "error": "why there is no answer",
        "tries": "calls made; 0 when the answer came from the cache",
        "queue_ms": "waiting in promptbench, in milliseconds",
        "cost": "US dollars, apart from what the judged answer cost; null when the price is unknown",
        "started": "ISO 8601, UTC",
    },
}
