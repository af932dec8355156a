"""The metadata for `runs.sqlite` in Datasette: descriptions of tables, views and columns, and some queries."""

from promptbench.core.types import Json
from promptbench.store import run_views, runs_schema
from promptbench.store.runs import FILE_NAME

_NEWEST_FIRST = ("run", "run_summary", "prompt_history", "run_figures", "latency_by_model")
_QUERIES = {
    "broken_since": (
        "Cases that pass less often than in the run before",
        """SELECT now.run, now.suite, now.case_name, now.model, now.prompt, now.passed, now.attempts,
    before.run AS run_before, before.prompt AS prompt_before, before.passed AS passed_before,
    before.attempts AS attempts_before
FROM case_results AS now JOIN case_results AS before
    ON before.suite = now.suite AND before.case_name = now.case_name AND before.model = now.model
    AND before.side = now.side
WHERE now.side = 'candidate' AND now.run = :run AND before.run = :run_before
    AND now.passed * before.attempts < before.passed * now.attempts
ORDER BY now.case_name""",
    ),
    "slowest_calls": (
        "The slowest calls",
        """SELECT run, model, case_name, repeat, round(provider_ms) AS provider_ms, round(queue_ms) AS queue_ms,
    output_tokens
FROM attempt WHERE provider_ms NOTNULL ORDER BY attempt.provider_ms DESC LIMIT 100""",
    ),
    "spent_by_day": (
        "US dollars by day and model, as far as known",
        """SELECT substr(started, 1, 10) AS day, model, count(*) AS attempts, round(sum(cost), 4) AS cost
FROM attempt GROUP BY day, model ORDER BY day DESC, cost DESC""",
    ),
}


def datasette_metadata() -> dict[str, Json]:
    """Return the content of FILE for `datasette .promptbench/runs.sqlite --metadata FILE`."""
    tables: dict[str, Json] = {"_sqlite_migrations": {"hidden": True}}
    for name, about in run_views.ABOUT.items():
        tables[name] = {"description": about}
        if columns := runs_schema.COLUMNS.get(name):
            tables[name]["columns"] = columns
        if name in _NEWEST_FIRST:
            tables[name]["sort_desc"] = "started"
    queries = {name: {"title": title, "sql": sql} for name, (title, sql) in _QUERIES.items()}
    database = FILE_NAME.removesuffix(".sqlite")
    return {
        "title": "promptbench",
        "description": "Runs, their attempts and answers, recordings, imported calls. Start at run_summary.",
        "databases": {database: {"tables": tables, "queries": queries}},
    }
