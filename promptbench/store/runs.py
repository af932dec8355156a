"""The record of runs: written while they run, read by gates and reports, resumed after a crash.

One SQLite file in `.promptbench/`. Attempts are committed before they are reported, so a killed process loses at most
the calls in flight.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import starmap
from pathlib import Path
from typing import Any

from promptbench.core.canonical import canonical
from promptbench.core.clock import now
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.protocols import OutcomeRow, PastRow
from promptbench.core.types import (
    Answer,
    Attempt,
    AttemptKey,
    Json,
    Judging,
    Message,
    Side,
    Step,
)
from promptbench.store import answers, attempt_rows, runs_schema
from promptbench.store.batches import Batches
from promptbench.store.bench_runs import BenchRuns
from promptbench.store.calls import CallStore
from promptbench.store.database import storage_errors
from promptbench.store.looks import Looks
from promptbench.store.migrations import apply, pending
from promptbench.store.names import new_run_name
from promptbench.store.retention import Retention
from promptbench.store.run_cases import HISTORY, MOST_RUNS, Calibrations, ModelAliases, RunCases
from promptbench.store.run_grid import RunGrid
from promptbench.store.run_list import RunList
from promptbench.store.run_table import PAGE_SIZE, WHAT, RunTable, part
from promptbench.store.run_usage import RunUsage

FILE_NAME = "runs.sqlite"
# The result of a finished run of one shard: it proves nothing alone.
SHARD = "SHARD"

_RUN = "id, plan, suite, prompt, started, finished, result, sentence, tool_version, facts"
_WHOLE = f"finished IS NOT NULL AND result <> '{SHARD}'"
_UNJUDGED = "outcome = 'errored' AND answer_id NOTNULL AND fallback IS NULL"
_ATTEMPTS = f"SELECT {attempt_rows.COLUMNS} FROM attempt LEFT JOIN answer ON answer.id = answer_id WHERE run = ?"

_MISSING = "outcome = 'errored' AND answer_id IS NULL AND fallback IS NULL"
_OUTCOMES = f"""variant, model, case_name, repeat, outcome, rung, well_formed, {_MISSING},
    {_MISSING} AND {attempt_rows.FAILURE} IS 'rejected', tries = 0 AND outcome <> 'errored',
    CASE WHEN answer_id NOTNULL THEN coalesce(provider_ms, 0.0) END, cost"""


# An attempt as a row of `attempt_rows.COLUMNS`, and its steps: another process reads it in a tenth of the time.
StoredAttempt = tuple[tuple[Any, ...], Sequence[Step]]


@dataclass(frozen=True, slots=True)
class RunVariant:
    """A prompt version that took part in a run."""

    hash: str
    side: Side
    name: str
    source: str


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run without its attempts. `facts` holds the suite's path, the hashes, the policy and the models."""

    id: str
    plan: str
    suite: str
    prompt: str
    started: str
    finished: str | None
    result: str | None
    sentence: str | None
    tool_version: str
    facts: Mapping[str, Json]
    variants: tuple[RunVariant, ...] = ()


class RunStore(RunTable, AbstractContextManager["RunStore"]):
    """The file with all runs, as a context manager. Its tables of other subjects are objects over its connection."""

    def __init__(self, folder: Path) -> None:
        """Open or create the file. Raise EnvironmentFailure if that fails or a newer promptbench wrote it."""
        self.folder = folder
        path = folder / FILE_NAME
        with storage_errors(path, WHAT):
            folder.mkdir(parents=True, exist_ok=True)
            super().__init__(_open(path), path)
        self._locks: dict[str, Any] = {}
        self._logged: dict[str, dict[int, int]] = {}  # The indexes of logged answers, by model.

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release all runs that this process holds, and close the file."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()
        self._connection.close()

    # -- writing -------------------------------------------------------------------------------------------------

    def start(
        self,
        plan: str,
        suite: str,
        prompt: str,
        facts: Mapping[str, Json],
        variants: Iterable[RunVariant],
        version: str,
    ) -> tuple[RunInfo, bool]:
        """Return the run to fill and True if it resumes an interrupted one with the same plan that no process holds.

        This process holds the run until the store is closed or the process ends.
        """
        with storage_errors(self.path, WHAT):
            for row in self._connection.execute(
                "SELECT id FROM run WHERE plan = ? AND finished IS NULL ORDER BY started DESC, rowid DESC", [plan]
            ).fetchall():
                if self.hold(row[0]):
                    return self.run(row[0]), True
            name = self._insert(plan, suite, prompt, now(), facts, variants, version)
        return self.run(name), False

    def finished_with(self, plan: str, results: Collection[str], since: str) -> RunInfo | None:
        """Return the newest run of a plan that finished, if it has one of these results and started after a time."""
        with storage_errors(self.path, WHAT):
            found = read_runs(
                self._connection,
                "WHERE plan = ? AND finished IS NOT NULL ORDER BY started DESC, rowid DESC LIMIT 1",
                [plan],
            )
        return next((info for info in found if info.result in results and info.started >= since), None)

    def reopen(self, run: str) -> bool:
        """Take the verdict from a run, so that `start` resumes it; False if another process holds the run."""
        if not self.hold(run):
            return False
        with storage_errors(self.path, WHAT):
            self._connection.execute(
                "UPDATE run SET finished = NULL, result = NULL, sentence = NULL WHERE id = ?", [run]
            )
        self._locks.pop(run).release()
        return True

    def start_again(self, before: RunInfo, plan: str, facts: Mapping[str, Json], version: str) -> RunInfo:
        """Return a new run for the answers of another one, with its start time; held as by `start`."""
        with storage_errors(self.path, WHAT):
            name = self._insert(plan, before.suite, before.prompt, before.started, facts, before.variants, version)
        return self.run(name)

    def _insert(
        self,
        plan: str,
        suite: str,
        prompt: str,
        started: str,
        facts: Mapping[str, Json],
        variants: Iterable[RunVariant],
        version: str,
    ) -> str:
        name = new_run_name(now())
        if not self.hold(name):
            raise EnvironmentFailure(f"run {name} is held by another process")
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO run (id, plan, suite, prompt, started, tool_version, facts) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [name, plan, suite, prompt, started, version, canonical(dict(facts))],
            )
            connection.executemany(
                "INSERT INTO variant (run, hash, side, name, source) VALUES (?, ?, ?, ?, ?)",
                [(name, item.hash, item.side, item.name, item.source) for item in variants],
            )
        return name

    def hold(self, run: str) -> bool:
        """Hold a run until the store is closed. Return False if another process holds it."""
        from filelock import FileLock, Timeout

        folder = self.folder / "locks"
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / f"{run}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        self._locks[run] = lock
        return True

    def add(
        self,
        run: str,
        attempts: Iterable[tuple[Attempt, bool]],
        same_judges: Collection[str] = frozenset(),
        own_names: Mapping[str, str] = {},  # What a suite calls a model, with the reference that recordings are of.
        swaps: bool = False,  # As in `attempt_rows.keep`.
    ) -> None:
        """Commit attempts, each with whether its model is deterministic, judge calls, and recordings of answers."""
        with self.transaction() as connection:
            for attempt, deterministic in attempts:
                model = own_names.get(attempt.key.model, attempt.key.model)
                attempt_rows.keep(connection, run, attempt, model, deterministic=deterministic, swap=swaps)
                for judging in attempt.judgings:
                    attempt_rows.keep_judging(connection, run, judging, deterministic=judging.judge in same_judges)

    def add_scored(
        self, run: str, source: str, scored: Iterable[tuple[StoredAttempt, Sequence[Judging], tuple[Any, ...]]]
    ) -> None:
        """Commit attempts of the run `source` in another run, with judge calls and with new `scored_columns`."""
        with self.transaction() as connection:
            for (row, steps), judgings, columns in scored:
                attempt_rows.insert_scored(connection, run, source, row[:4], columns)
                if row[6] is None:
                    connection.execute(
                        """INSERT OR REPLACE INTO failed_try SELECT ?, variant, model, case_name, repeat, started, try,
                            kind, status, message, provider_ms FROM failed_try
                            WHERE (run, variant, model, case_name, repeat, started) = (?, ?, ?, ?, ?, ?)""",
                        [run, source, *row[:4], row[24]],
                    )
                for number, step in enumerate(steps, 1):
                    attempt_rows.keep_step(connection, run, AttemptKey(*row[:4]), number, step)
                for judging in judgings:
                    attempt_rows.keep_judging(connection, run, judging, deterministic=False)

    def finish(self, run: str, result: str, sentence: str) -> None:
        """Record the verdict of a run."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE run SET finished = ?, result = ?, sentence = ? WHERE id = ?", [now(), result, sentence, run]
            )
            connection.execute("DELETE FROM batch_line WHERE run = ?", [run])  # Their answers are attempts now.

    def forget_errors(self, run: str) -> int:
        """Delete the attempts of a run that have no answer, and return their number; their failed calls stay."""
        with self.transaction() as connection:
            return connection.execute(
                f"""DELETE FROM attempt_row
                WHERE run_column IN (SELECT id FROM run_column WHERE run = ?) AND {_MISSING}""",
                [run],
            ).rowcount

    # -- reading -------------------------------------------------------------------------------------------------

    def run(self, name: str) -> RunInfo:
        """Return the run with this name or unique prefix, or the `latest`, shards excepted.

        Raises:
            InputError: no run matches, or several do.
        """
        where: str = "WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 2"
        values: list[str | int] = [len(name), name]
        if name == "latest":
            whole = "WHERE json_extract(facts, '$.shard') IS NULL"
            where, values = f"{whole} ORDER BY started DESC, rowid DESC LIMIT 1", []
        with storage_errors(self.path, WHAT):
            found = read_runs(self._connection, where, values)
        if not (found and name):
            raise InputError(
                f"run '{name}' not found in {self.path}",
                hint="`promptbench run` makes one" if name == "latest" else "`promptbench runs list` shows all runs",
            )
        if len(found) > 1 and found[0].id != name:
            raise InputError(f"'{name}' matches several runs", hint="write more of the run's name")
        return found[0]

    def suites(self) -> list[str]:
        """Return the names of the suites that have runs."""
        return [str(row[0]) for row in self._rows("SELECT DISTINCT suite FROM run ORDER BY suite")]

    def latest_of_suite(self, suite: str, *, finished: bool = False) -> str:
        """Return the name of a suite's newest run, or newest `finished` run. Raise InputError if there is none."""
        return self._latest(
            f"suite = ? {f'AND {_WHOLE}' if finished else ''}", suite, f"the suite '{suite}' has no run"
        )

    def latest(self, prompt: str) -> str:
        """Return the name of the newest run that may prove something about a prompt.

        That is a finished run of a whole suite, neither a replay nor a comparison. Raise InputError if there is none.
        """
        where = (
            f"prompt = ? AND {_WHOLE} AND NOT coalesce(json_extract(facts, '$.partial'), 0) AND "
            "coalesce(json_extract(facts, '$.selection.compared'), json_extract(facts, '$.selection.replayed')) IS NULL"
        )
        return self._latest(where, prompt, f"no finished run of a whole suite tests '{prompt}'")

    def _latest(self, where: str, value: str, missing: str) -> str:
        row = self._row(f"SELECT id FROM run WHERE {where} ORDER BY started DESC, rowid DESC LIMIT 1", [value])
        if row is None:
            raise InputError(missing, hint="`promptbench run` makes one")
        return str(row[0])

    def outcomes(self, run: str, *, answered: bool = False) -> Iterator[OutcomeRow]:
        """Yield all attempts of a run as a verdict sees them, or only those that have an answer."""
        which = "AND outcome IN ('passed', 'failed')" if answered else ""
        return self._rows(f"SELECT {_OUTCOMES} FROM attempt WHERE run = ? {which}", [run])

    def attempts(self, run: str, *, passed: bool = True) -> Iterator[Attempt]:
        """Yield all attempts of a run; those that passed only if `passed`."""
        return starmap(attempt_rows.read, self.stored_attempts(run, "" if passed else "AND outcome <> 'passed'"))

    def attempts_shown(self, run: str, cases: Collection[str]) -> Iterator[Attempt]:
        """Yield the attempts of a run at some cases, and all with an error, a fallback or steps."""
        where = "AND (error NOTNULL OR fallback NOTNULL OR steps OR case_name IN (SELECT value FROM json_each(?)))"
        return starmap(attempt_rows.read, self.stored_attempts(run, where, json.dumps(list(cases))))

    def attempts_at(self, run: str, variant: str, model: str, case: str) -> list[Attempt]:
        """Return the attempts of one prompt on one model and case, in the order of their repeats."""
        return list(
            starmap(
                attempt_rows.read,
                self.stored_attempts(
                    run, "AND variant = ? AND model = ? AND case_name = ? ORDER BY repeat", variant, model, case
                ),
            )
        )

    def stored_attempts(self, run: str, where: str = "", *values: str) -> Iterator[StoredAttempt]:
        """Yield the attempts of a run that an SQL condition selects, as they are stored."""
        for row in self._rows(f"{_ATTEMPTS} {where}", [run, *values]):
            yield row, self.steps(run, AttemptKey(*row[:4])) if row[31] else ()

    def add_step(self, run: str, key: AttemptKey, number: int, step: Step, model: str, *, deterministic: bool) -> None:
        """Commit a step of an attempt that is not complete, and the recording of the `model`'s answer."""
        with self.transaction() as connection:
            attempt_rows.keep_step(connection, run, key, number, step)
            if not step.answer.recorded:
                request, at = step.request_hash, step.started
                answers.record(connection, request, model, step.answer, deterministic=deterministic, at=at)

    def steps(self, run: str, key: AttemptKey) -> list[Step]:
        """Return the recorded steps of an attempt, in order."""
        rows = self._rows(attempt_rows.STEPS, [run, key.variant, key.model, key.case, key.repeat])
        return [attempt_rows.read_step(row) for row in rows]

    def attempt(self, run: str, key: AttemptKey) -> Attempt | None:
        """Return one attempt of a run, or None."""
        attempts = self.attempts_at(run, key.variant, key.model, key.case)
        return next((attempt for attempt in attempts if attempt.key.repeat == key.repeat), None)

    def covered(self, run: str) -> set[AttemptKey]:
        """Return the attempts of a run that a fallback model answered."""
        return self._keys(run, "fallback NOTNULL")

    def unjudged(self, run: str) -> set[AttemptKey]:
        """Return the attempts of a run that have an answer but no verdict from a judge."""
        return self._keys(run, _UNJUDGED)

    def confirmed(self, run: str, models: Collection[str]) -> dict[str, bool]:
        """Return whether repeated requests got the same answer, by those of the models where two tries have one."""
        sql = f"""SELECT model, min(first.answer_id = again.answer_id) FROM attempt AS again
            JOIN attempt AS first USING (run, variant, model, case_name)
            WHERE run = ? AND model IN ({", ".join("?" * len(models))}) AND first.repeat = 0 AND again.repeat = 1
            AND coalesce(first.fallback, again.fallback) IS NULL
            AND first.answer_id NOTNULL AND again.answer_id NOTNULL GROUP BY model"""
        return {model: bool(same) for model, same in self._rows(sql, [run, *models])} if models else {}

    def _keys(self, run: str, where: str) -> set[AttemptKey]:
        sql = f"SELECT variant, model, case_name, repeat FROM attempt WHERE run = ? AND {where}"
        return {AttemptKey(*row) for row in self._rows(sql, [run])}

    def unjudged_reasons(self, run: str) -> dict[str, int]:
        """Return why attempts have no verdict, with their number, most frequent reason first."""
        sql = f"SELECT error, count(*) FROM attempt WHERE run = ? AND {_UNJUDGED} GROUP BY error ORDER BY 2 DESC, 1"
        return {str(error): count for error, count in self._rows(sql, [run])}

    def judged(self, run: str, request_hash: str) -> Answer | None:
        """Return a judge's answer to a request in a run, or None if it gave no verdict."""
        row = self._row(
            "SELECT answer FROM judging WHERE run = ? AND request_hash = ? AND verdict NOTNULL", [run, request_hash]
        )
        return None if row is None else answers.loads(row[0])

    def judgings(self, run: str) -> Iterator[Judging]:
        """Yield all judge calls of a run."""
        return map(
            attempt_rows.read_judging,
            self._rows(f"SELECT {attempt_rows.JUDGING_COLUMNS} FROM judging WHERE run = ?", [run]),
        )

    def history(self, suite: str, prompt: str) -> Iterator[PastRow]:
        """Yield the results of the latest finished runs of a whole suite about a prompt, oldest first."""
        for row in self._rows(HISTORY, [suite, prompt, MOST_RUNS]):
            yield PastRow(*row)

    # -- recordings and cache ------------------------------------------------------------------------------------

    def find(self, request_hash: str) -> tuple[Answer, bool] | None:
        """Return the recorded answer to a request, and whether its model is deterministic; None if not recorded."""
        sql = """SELECT recording.answer, text, deterministic FROM recording
            LEFT JOIN answer ON hash = answer_hash WHERE request_key = ?"""
        row = self._row(sql, [answers.pack_hash(request_hash)])
        return None if row is None else (replace(answers.loads(row[0], row[1]), recorded=True), bool(row[2]))

    def record(self, request_hash: str, model: str, answer: Answer, *, deterministic: bool) -> None:
        """Commit a recording of an answer that belongs to no attempt."""
        with self.transaction() as connection:
            answers.record(connection, request_hash, model, answer, deterministic=deterministic, at=now())

    def deterministic(self, model: str) -> bool | None:
        """Return True if all recordings of a model are of a deterministic one; None if there are none."""
        sql = """SELECT min(deterministic) FROM recording_row
            WHERE source_id IN (SELECT id FROM answer_source WHERE model = ?)"""
        row = self._row(sql, [model])
        return None if row is None or row[0] is None else bool(row[0])

    def has_logged(self, model: str) -> bool:
        """Return True if an imported log has an answer of a model."""
        return self.calls().has_answers(model)

    def logged(self, model: str, messages: Sequence[Message], variables: Mapping[str, Json]) -> Answer | None:
        """Return the newest logged answer of a model to messages, or without any to variables; None without one."""
        if model not in self._logged:
            self._logged[model] = self.calls().index_answers(model)
        call = self.calls().answer_to(self._logged[model], messages, variables)
        if call is None or call.answer is None:
            return None
        return Answer(
            call.answer, call.model, {}, call.usage, call.finish_reason, call.latency_ms or 0.0, recorded=True
        )

    # -- the other tables, over the same connection ---------------------------------------------------------------

    cache = part(answers.CacheTable)
    retention = part(Retention)  # the removal of old runs
    calls = part(CallStore)  # logged calls
    listing = part(RunList)  # summaries and figures of runs
    usage = part(RunUsage)  # calls made, with their tokens and costs
    grid = part(RunGrid)  # attempts, added up by case
    cases = part(RunCases)
    calibrations = part(Calibrations)
    batches = part(Batches)  # requests sent by batch
    bench_runs = part(BenchRuns)
    looks = part(Looks)  # looks at fixes, and cases to watch
    model_aliases = part(ModelAliases)  # model names that providers returned


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        # A commit needs no fsync to survive the death of the process; only a power cut may lose the last ones.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.create_function("pack_hash", 1, answers.pack_hash, deterministic=True)
        if pending(connection, runs_schema.SET, runs_schema.MIGRATIONS, WHAT):
            connection.execute("BEGIN IMMEDIATE")
            # For earlier migrations.
            connection.create_function("text_hash", 1, answers.text_hash, deterministic=True)
            connection.create_function("hash_bytes", 1, lambda tagged: tagged and bytes.fromhex(tagged[7:]))
            apply(connection, runs_schema.SET, runs_schema.MIGRATIONS)
            connection.execute("COMMIT")
            # Earlier versions chose smaller pages, and a migration may leave free ones.
            if connection.execute(
                """SELECT page_size <> ? OR 4 * freelist_count > page_count
                FROM pragma_page_size, pragma_freelist_count, pragma_page_count""",
                [PAGE_SIZE],
            ).fetchone()[0]:
                Retention(connection, path).compact()
        # Only now, because migrations replace tables that others refer to.
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def read_runs(connection: sqlite3.Connection, where: str, values: Sequence[str | int] = ()) -> list[RunInfo]:
    """Return the runs that match a WHERE clause."""
    found = []
    for row in connection.execute(f"SELECT {_RUN} FROM run {where}", values).fetchall():
        columns = dict(zip(_RUN.split(", "), row, strict=True))
        variants = connection.execute("SELECT hash, side, name, source FROM variant WHERE run = ?", [row[0]])
        sides = tuple(RunVariant(one, Side(side), *rest) for one, side, *rest in variants)
        found.append(RunInfo(**{**columns, "facts": json.loads(columns["facts"]), "variants": sides}))
    return found
