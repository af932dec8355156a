"""Summaries and figures of runs, read from the views of `runs.sqlite`, for lists and histories."""

from dataclasses import dataclass, fields

from promptbench.store.run_table import RunTable, Value


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run. `shard` is such as 3/10 for a part of the cases; `cost` is in US dollars, as far as it is known."""

    run: str
    started: str
    finished: str | None
    suite: str
    prompt: str
    result: str | None
    sentence: str | None
    candidates: str | None
    champion: str | None
    command: str | None
    shard: str | None
    partial: int
    cases: int
    attempts: int
    errored: int | None
    cost: float | None
    tool_version: str


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One prompt on one model in one run, first tries only; None is unknown.

    `answers` and `format` are shares in [0, 1], `p50` and `p99` milliseconds, `cost` US dollars per 1,000 calls.
    """

    run: str
    started: str
    suite: str
    result: str | None
    side: str
    prompt: str
    version: str
    model: str
    attempts: int
    errored: int
    answers: float | None
    format: float | None
    p50: float | None
    p99: float | None
    cost: float | None


_SUMMARY = ", ".join(item.name for item in fields(RunSummary))
_FIGURES = ", ".join(item.name for item in fields(RunFigures))


class RunList(RunTable):
    """The views of runs."""

    def newest(
        self, *, suite: str | None = None, prompt: str | None = None, model: str | None = None, limit: int = -1
    ) -> list[RunSummary]:
        """Return runs, newest first, filtered by suite, prompt and model."""
        where, values = _about(suite, prompt, model)
        newest = f"SELECT id FROM run WHERE {where} ORDER BY started DESC, rowid DESC LIMIT ?"
        sql = f"SELECT {_SUMMARY} FROM run_summary WHERE run IN ({newest}) ORDER BY started DESC, run DESC"
        return [RunSummary(*row) for row in self._rows(sql, [*values, limit])]

    def names(self) -> set[str]:
        """Return the names of all suites and prompts."""
        return {name for row in self._rows("SELECT DISTINCT suite, prompt FROM run") for name in row}

    def summary(self, run: str) -> RunSummary:
        """Return the summary of a run that exists."""
        return next(RunSummary(*row) for row in self._rows(f"SELECT {_SUMMARY} FROM run_summary WHERE run = ?", [run]))

    def durations(self, run: str) -> dict[str, int]:
        """Return, by case name, the total provider time of its calls in whole milliseconds."""
        sql = "SELECT case_name, round(sum(provider_ms)) FROM attempt WHERE run = ? GROUP BY case_name ORDER BY 1"
        return {str(name): int(taken or 0) for name, taken in self._rows(sql, [run])}

    def figures(self, run: str) -> list[RunFigures]:
        """Return the figures of one run, by model."""
        return self._figures("run_figures", run, None)

    def history(self, *, suite: str | None, prompt: str | None, model: str | None, limit: int) -> list[RunFigures]:
        """Return the figures of the newest `limit` finished runs of whole suites, oldest first."""
        where, values = _about(suite, prompt, model)
        whole = "finished NOTNULL AND NOT coalesce(json_extract(facts, '$.partial'), 0)"
        sql = f"SELECT id FROM run WHERE {where} AND {whole} ORDER BY started DESC, rowid DESC LIMIT ?"
        runs = [str(row[0]) for row in self._rows(sql, [*values, limit])]
        # One query per run, because SQLite then reads the attempts of no other run.
        return [item for run in reversed(runs) for item in self._figures("prompt_history", run, model)]

    def _figures(self, view: str, run: str, model: str | None) -> list[RunFigures]:
        where, values = _where({"run": run, "model": model})
        sql = f"SELECT {_FIGURES} FROM {view} WHERE {where} ORDER BY model, side DESC, prompt"
        return [RunFigures(*row) for row in self._rows(sql, values)]


def _about(suite: str | None, prompt: str | None, model: str | None) -> tuple[str, list[Value]]:
    where, values = _where({"run.suite": suite, "run.prompt": prompt})
    if model is not None:
        where += " AND EXISTS (SELECT 1 FROM attempt WHERE attempt.run = run.id AND attempt.model = ?)"
        values.append(model)
    return where, values


def _where(columns: dict[str, str | None]) -> tuple[str, list[Value]]:
    given = {column: value for column, value in columns.items() if value is not None}
    return " AND ".join(["1", *(f"{column} = ?" for column in given)]), list(given.values())
