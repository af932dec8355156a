"""Calls, tokens and costs on record, added up by day, model, suite, prompt or judge."""

from dataclasses import dataclass

from promptbench.store.run_table import RunTable, Value


@dataclass(frozen=True, slots=True)
class CallUsage:
    """The calls of a group, those to judges apart. Cached and recorded answers are not calls.

    Attributes:
        calls: calls made, the failed ones included.
        failed: calls without an answer: failed tries, also those of attempts that were repeated after a resume.
        input_tokens, output_tokens, cached_tokens: sums over the answers that report them; None if none does.
        uncounted: answers without a number of tokens.
        cost: US dollars, as far as it is known; None if no answer has a price.
        unpriced: answers whose cost is unknown. Failed calls are not among them.
    """

    group: str
    judge: bool
    calls: int
    failed: int
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    uncounted: int
    cost: float | None
    unpriced: int


# A group's name from a row of `_CALLS`. Only judges have a judge's name.
GROUPS = {"day": "substr(started, 1, 10)", "model": "model", "suite": "suite", "prompt": "prompt", "judge": "model"}

# A run that scores another one again, or merges shards, has copies of their attempts, which are not calls again. They
# have the same keys and times.
_ORIGINAL = """NOT EXISTS (
        SELECT 1 FROM json_each(run.facts, '$.shards') AS shard JOIN attempt AS first ON first.run = shard.value
        WHERE (first.variant, first.model, first.case_name, first.repeat, first.started)
            = (made.variant, made.model, made.case_name, made.repeat, made.started))
    AND NOT EXISTS (
        SELECT 1 FROM attempt AS first WHERE first.run = json_extract(run.facts, '$.scored_again')
        AND (first.variant, first.model, first.case_name, first.repeat, first.started)
            = (made.variant, made.model, made.case_name, made.repeat, made.started))"""
_MADE = (
    f"JOIN run ON run.id = made.run WHERE made.started >= :since AND made.model NOT LIKE 'recorded/%' AND {_ORIGINAL}"
)

# One row for each answer, and one for the failed calls of each attempt, judge call and measured call.
_CALLS = f"""
    SELECT suite, prompt, coalesce(fallback, model) AS model, made.started, 0 AS judge, 1 AS answers, 0 AS failed,
        input_tokens, output_tokens, cached_tokens, cost
    FROM attempt AS made {_MADE} AND answer_id NOTNULL AND tries > 0 AND steps IS NULL
    UNION ALL
    SELECT suite, prompt, model, made.started, 0, 0, 1, NULL, NULL, NULL, NULL
    FROM failed_try AS made {_MADE}
    UNION ALL
    -- A function or service that is a step of a chain has its name in the answer; other steps are calls to the model.
    SELECT suite, prompt, CASE WHEN name <> '' AND (called LIKE 'python/%' OR called LIKE 'http/%') THEN called
        ELSE model END, made.started, 0, 1, 0, json_extract(answer, '$.usage.input_tokens'),
        json_extract(answer, '$.usage.output_tokens'), json_extract(answer, '$.usage.cached_tokens'), cost
    FROM (
        -- The chains of a try share a call that both would make alike.
        SELECT *, json_extract(answer, '$.model') AS called FROM step WHERE tries > 0
        GROUP BY run, model, case_name, repeat, step, request_hash
    ) AS made {_MADE}
    UNION ALL
    SELECT suite, prompt, judge, made.started, 1, answer NOTNULL, tries - (answer NOTNULL),
        json_extract(answer, '$.usage.input_tokens'), json_extract(answer, '$.usage.output_tokens'),
        json_extract(answer, '$.usage.cached_tokens'), cost
    FROM judging AS made JOIN run ON run.id = made.run
    WHERE made.started >= :since AND tries > 0 AND judge NOT LIKE 'recorded/%' AND NOT EXISTS (
        SELECT 1 FROM json_each(run.facts, '$.shards') AS shard JOIN judging AS first ON first.run = shard.value
        WHERE (first.request_hash, first.started) = (made.request_hash, made.started))
    UNION ALL
    SELECT suite, prompt, model, started, 0, error IS NULL, tries - (error IS NULL),
        input_tokens, output_tokens, cached_tokens, cost
    FROM measured_call JOIN measurement ON measurement.id = measurement
    WHERE started >= :since AND tries > 0 AND model NOT LIKE 'recorded/%'"""
_SUMS = (
    "sum(answers + failed), sum(failed), sum(input_tokens), sum(output_tokens), sum(cached_tokens), "
    "sum(answers AND input_tokens IS NULL), sum(cost) FILTER (WHERE answers), sum(answers AND cost IS NULL)"
)


class RunUsage(RunTable):
    """The calls in all tables of runs."""

    def by(self, group: str, since: str = "") -> list[CallUsage]:
        """Return the usage by one of `GROUPS`, from calls since a time; all days and names in order."""
        sql = (
            f"SELECT {GROUPS[group]}, judge, {_SUMS} FROM ({_CALLS}) WHERE judge >= :judges GROUP BY 1, 2 ORDER BY 1, 2"
        )
        values: dict[str, Value] = {"since": since, "judges": group == "judge"}
        return [CallUsage(name, bool(judge), *sums) for name, judge, *sums in self._rows(sql, values)]
