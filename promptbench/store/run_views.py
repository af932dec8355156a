"""Views of `runs.sqlite` for people with `sqlite-utils`, Datasette or a notebook; `runs history` reads them too.

Rates, times and costs are of the first round only. Retries because of a failure enter none, nor does the request that
is repeated to confirm that a model is deterministic. Quantiles are linear between neighbours, as in reports (type 7 of
Hyndman and Fan 1996).
"""

_SIDE = "coalesce(variant.side, 'baseline') AS side, coalesce(variant.name, '') AS prompt"
_JOINED = """FROM attempt JOIN run ON run.id = attempt.run
            LEFT JOIN variant ON variant.run = attempt.run AND variant.hash = attempt.variant"""
_ANSWERED = "outcome IN ('passed', 'failed')"
_TIMED = f"({_ANSWERED} AND provider_ms NOTNULL AND model NOT LIKE 'recorded/%')"
_FIRST_TRIES = f"""
                SELECT attempt.run, run.started, run.suite, run.prompt AS prompt_name, run.result, {_SIDE},
                    attempt.variant, attempt.model, outcome, well_formed, provider_ms, attempt.cost,
                    {_ANSWERED} AS answered,
                    {_ANSWERED} AND rung NOTNULL AS read,
                    {_ANSWERED} AND tries > 0 AS asked,
                    {_TIMED} AS timed,
                    run.finished NOTNULL AND NOT coalesce(json_extract(run.facts, '$.partial'), 0) AS whole,
                    row_number() OVER (PARTITION BY attempt.run, attempt.variant, model, {_TIMED}
                        ORDER BY provider_ms) - 1 AS place,
                    count(*) OVER (PARTITION BY attempt.run, attempt.variant, model, {_TIMED}) AS calls
                {_JOINED}
                WHERE fallback IS NULL AND (attempt.repeat = 0 OR (
                    attempt.repeat < coalesce(json_extract(run.facts, '$.policy.repeats'), 1)
                    AND NOT EXISTS (SELECT 1 FROM json_each(run.facts, '$.models') AS stated
                        WHERE json_extract(stated.value, '$.model') = attempt.model
                        AND json_extract(stated.value, '$.deterministic'))))
            """


def _quantile(share: float, name: str) -> str:
    """From rows that are numbered by time within their group: `place` from 0, `calls` of them."""
    position = f"({share} * (calls - 1))"
    weight = (
        f"CASE place WHEN CAST({position} AS INTEGER) THEN 1 - ({position} - CAST({position} AS INTEGER)) "
        f"WHEN CAST({position} AS INTEGER) + 1 THEN {position} - CAST({position} AS INTEGER) ELSE 0 END"
    )
    return f"round(sum(provider_ms * {weight}) FILTER (WHERE timed) OVER same, 3) AS {name}"


# Of these rows one of each partition is shown. With GROUP BY, SQLite would read all runs to show one of them.
_BY_PROMPT_AND_MODEL = f"""FROM ({_FIRST_TRIES})
                WINDOW same AS (PARTITION BY run, variant, model)"""


STATEMENTS = (
    """CREATE VIEW run_summary AS
            SELECT run.id AS run, run.started, run.suite, run.prompt, run.result, run.sentence,
                (SELECT group_concat(name, ', ') FROM variant WHERE run = run.id AND side = 'candidate') AS candidates,
                (SELECT name FROM variant WHERE run = run.id AND side = 'champion') AS champion,
                json_extract(run.facts, '$.command') AS command,
                json_extract(run.facts, '$.shard') AS shard,
                coalesce(json_extract(run.facts, '$.partial'), 0) AS partial,
                (SELECT count(DISTINCT case_name) FROM attempt WHERE run = run.id) AS cases,
                (SELECT count(*) FROM attempt WHERE run = run.id) AS attempts,
                (SELECT sum(outcome = 'errored') FROM attempt WHERE run = run.id) AS errored,
                (SELECT sum(cost) FROM attempt WHERE run = run.id) AS cost,
                run.finished, run.tool_version
            FROM run""",
    f"""CREATE VIEW case_results AS
            SELECT attempt.run, run.started, run.suite, attempt.case_name, attempt.model, {_SIDE},
                sum(outcome IN ('passed', 'failed')) AS attempts,
                sum(outcome = 'passed') AS passed,
                sum(outcome = 'failed') AS failed,
                sum(outcome = 'errored') AS errored,
                round(avg(provider_ms), 1) AS mean_ms,
                sum(cost) AS cost
            {_JOINED}
            GROUP BY attempt.run, attempt.variant, attempt.model, attempt.case_name""",
    f"""CREATE VIEW latency_by_model AS
            SELECT run, started, suite, model, side, prompt, calls, p50_ms, p90_ms, p99_ms, mean_ms, slowest_ms
            FROM (
                SELECT run, started, suite, model, side, prompt,
                    sum(timed) OVER same AS calls,
                    {_quantile(0.5, "p50_ms")},
                    {_quantile(0.9, "p90_ms")},
                    {_quantile(0.99, "p99_ms")},
                    round(avg(provider_ms) FILTER (WHERE timed) OVER same, 3) AS mean_ms,
                    max(provider_ms) FILTER (WHERE timed) OVER same AS slowest_ms,
                    row_number() OVER same AS number
                {_BY_PROMPT_AND_MODEL}
            ) WHERE number = 1 AND calls > 0""",
    f"""CREATE VIEW run_figures AS
            SELECT run, started, suite, prompt_name, result, side, prompt, version, model, attempts, errored,
                round(1.0 * passed / attempts, 4) AS answers,
                round(1.0 * well_formed / read, 4) AS format,
                p50, p99,
                CASE WHEN asked = priced THEN 1000 * cost / asked END AS cost,
                whole
            FROM (
                SELECT run, started, suite, prompt_name, result, side, prompt, variant AS version, model, whole,
                    sum(answered) OVER same AS attempts,
                    sum(outcome = 'errored') OVER same AS errored,
                    sum(outcome = 'passed') OVER same AS passed,
                    sum(read) OVER same AS read,
                    sum(read AND well_formed) OVER same AS well_formed,
                    {_quantile(0.5, "p50")},
                    {_quantile(0.99, "p99")},
                    sum(asked) OVER same AS asked,
                    sum(asked AND cost NOTNULL) OVER same AS priced,
                    sum(cost) FILTER (WHERE asked) OVER same AS cost,
                    row_number() OVER same AS number
                {_BY_PROMPT_AND_MODEL}
            ) WHERE number = 1""",
    "CREATE VIEW prompt_history AS SELECT * FROM run_figures WHERE whole",
    """CREATE VIEW failing_answers AS
            SELECT attempt.run, run.started, run.suite, attempt.case_name, attempt.model, variant.side,
                variant.name AS prompt, attempt.repeat, attempt.rung, attempt.scores, answer.text AS answer
            FROM attempt JOIN run ON run.id = attempt.run
            LEFT JOIN variant ON variant.run = attempt.run AND variant.hash = attempt.variant
            LEFT JOIN answer ON answer.hash = answer_hash
            WHERE attempt.outcome = 'failed'""",
)

# What tables and views hold, in a sentence each.
ABOUT: dict[str, str] = {
    "run": "One row a run.",
    "variant": "The prompt versions that took part in a run.",
    "answer": "The texts that models answered, each once.",
    "attempt": "One request to one model, and the scores of its answer.",
    "recording": "Recorded answers of models, by request.",
    "attempt_row": "The rows of attempt, with numbers for what many of them share.",
    "recording_row": "The rows of recording, with numbers for what many of them share.",
    "run_column": "The prompt versions and models of each run.",
    "answer_source": "Models and parameters of answers.",
    "usual_scores": "Scores that many attempts have.",
    "cache": "Answers kept for `run --cache read`.",
    "failed_try": "Calls that gave no answer.",
    "step": "The calls of attempts in which the model called tools or took part in a conversation.",
    "swap": "Attempts of `run --blame`, which finds the step of a chain that broke a case.",
    "judging": "Requests of checks to judges.",
    "batch": "The batches that `run --batch` sent.",
    "batch_line": "Answers of a batch until they are on record.",
    "logged_call": "Imported calls of production logs.",
    "run_case": "The cases of a run.",
    "calibration": "How often the production version passes each case, by calibration run.",
    "look": "Looks at fixes on this machine, by model and run; they outlive their runs.",
    "watched_case": "Cases that a candidate broke or left in doubt; later candidates get more tries there.",
    "held_out_use": "Held-out cases that `suggest` has used, by run; they outlive their runs.",
    "measurement": "Measurements of latency and cost.",
    "measured_call": "The calls of a measurement.",
    "run_summary": "Runs with their verdicts, the versions compared, and the cost.",
    "case_results": "The results of each case with each prompt on each model.",
    "latency_by_model": "Times of the calls of each prompt on each model, in milliseconds.",
    "run_figures": "Shares of right and of well-formed answers, times in milliseconds and US dollars for 1,000 calls, "
    "of each prompt on each model in each run.",
    "prompt_history": "The same of finished runs of whole suites, to be compared over time.",
    "failing_answers": "Every answer that failed, with its scores.",
    "attempt_with_answer": "Attempts with the texts of their answers.",
    "result": "Attempts of a run added up, by prompt and model.",
}
