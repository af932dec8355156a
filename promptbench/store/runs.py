"""The record of runs: written as they go, read by gates and reports, resumed after a crash.

One SQLite file in `.promptbench/`. Attempts are committed before anybody hears of them, so a killed process loses at
most what was in flight.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from promptbench.core.canonical import canonical, digest_text
from promptbench.core.clock import now
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.types import Answer, Attempt, AttemptKey, Json, Judging, Outcome, Rung, Score, Side
from promptbench.store import answers, attempt_rows, history, judgings, runs_schema
from promptbench.store.cache import CacheTable
from promptbench.store.calibrations import Calibrations
from promptbench.store.calls import CallStore
from promptbench.store.database import immediate, storage_errors
from promptbench.store.measurements import Measurements
from promptbench.store.retention import Retention
from promptbench.store.returned import Returned
from promptbench.store.run_cases import RunCases
from promptbench.store.run_list import RunList
from promptbench.store.steps import apply, pending

FILE_NAME = "runs.sqlite"
SHARD = "SHARD"
"""The result of a run of one shard: it is over, and proves nothing alone."""


@dataclass(frozen=True, slots=True)
class RunVariant:
    """A prompt version as it took part in a run."""

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


class RunStore:
    """The file with all runs. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        with storage_errors(self.path, "run record"):
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = self._open()
        self._locks: dict[str, Any] = {}

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            # A commit needs no fsync to survive the death of the process; only a power cut may take the last ones.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if pending(connection, runs_schema.SET, runs_schema.STEPS, "run record"):
                connection.execute("BEGIN IMMEDIATE")
                apply(connection, runs_schema.SET, runs_schema.STEPS)
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
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
        """A new run, or the interrupted one with the same plan that no living process works on; and whether it is one.

        The process holds the run until the store is closed, or dies.
        """
        with storage_errors(self.path, "run record"):
            for row in self._connection.execute(
                "SELECT id FROM run WHERE plan = ? AND finished IS NULL ORDER BY started DESC, rowid DESC", [plan]
            ).fetchall():
                if self._hold(row[0]):
                    return self.run(row[0]), True
            name = self._insert(plan, suite, prompt, now(), facts, variants, version)
        return self.run(name), False

    def start_again(self, before: RunInfo, plan: str, facts: Mapping[str, Json], version: str) -> RunInfo:
        """A new run for the answers of another one, and as old as that; held as with `start`."""
        with storage_errors(self.path, "run record"):
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
        name = now()[:19].replace("-", "").replace("T", "-").replace(":", "") + "-" + secrets.token_hex(2)
        if not self._hold(name):
            raise EnvironmentFailure(f"run {name} is held by another process")
        with immediate(self._connection):
            self._connection.execute(
                "INSERT INTO run (id, plan, suite, prompt, started, tool_version, facts) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [name, plan, suite, prompt, started, version, canonical(dict(facts))],
            )
            self._connection.executemany(
                "INSERT INTO variant (run, hash, side, name, source) VALUES (?, ?, ?, ?, ?)",
                [(name, item.hash, item.side, item.name, item.source) for item in variants],
            )
        return name

    def _hold(self, run: str) -> bool:
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
        self, run: str, attempts: Iterable[tuple[Attempt, bool]], same_judges: Collection[str] = frozenset()
    ) -> None:
        """Commits attempts, what judges said of them, and a recording of every answer.

        The flag tells whether the model is deterministic; `same_judges` are the judges that are.
        """
        with storage_errors(self.path, "run record"), immediate(self._connection):
            for attempt, deterministic in attempts:
                self._add(run, attempt, deterministic)
                for judging in attempt.judgings:
                    judgings.keep(self._connection, run, judging, deterministic=judging.judge in same_judges)

    def _add(self, run: str, attempt: Attempt, deterministic: bool) -> None:
        execute = self._connection.execute
        answer, key = attempt.answer, attempt.key
        usage = answer.usage if answer else None
        timed = None if attempt.cached else answer
        answer_hash = None
        if answer is not None:
            text = answer.text.encode("utf-8", "replace").decode()
            answer_hash = digest_text(text)
            execute("INSERT OR IGNORE INTO answer (hash, text) VALUES (?, ?)", [answer_hash, text])
            if not answer.recorded and attempt.fallback is None:
                answers.record(
                    self._connection,
                    attempt.request_hash,
                    key.model,
                    answer,
                    deterministic=deterministic,
                    at=attempt.started,
                )
        # An errored attempt is replaced when the run is resumed: it said nothing.
        execute(
            f"INSERT OR REPLACE INTO attempt VALUES ({', '.join('?' * 31)})",
            [
                run,
                key.variant,
                key.model,
                key.case,
                key.repeat,
                attempt.outcome,
                attempt.request_hash,
                answer_hash,
                answer.model if answer else None,
                canonical(dict(answer.params)) if answer else None,
                answer.finish_reason if answer else None,
                int(answer.structured) if answer else None,
                attempt.rung,
                int(attempt.well_formed),
                json.dumps([[repair.name, repair.position] for repair in attempt.repairs]),
                json.dumps([_SCORE(score) for score in attempt.scores]),
                attempt.error,
                attempt.tries,
                attempt.queue_ms,
                timed.provider_ms if timed else None,
                usage.input_tokens if usage else None,
                usage.output_tokens if usage else None,
                usage.cached_tokens if usage else None,
                usage.reasoning_tokens if usage else None,
                attempt.cost,
                attempt.started,
                timed.connect_ms if timed else None,
                timed.first_byte_ms if timed else None,
                attempt.limit_ms,
                attempt.backoff_ms,
                attempt.fallback,
            ],
        )
        for number, failed in enumerate(attempt.failed_tries, 1):
            place = [run, key.variant, key.model, key.case, key.repeat, attempt.started, number]
            execute(
                f"INSERT OR REPLACE INTO failed_try VALUES ({', '.join('?' * 11)})",
                [*place, failed.kind, failed.status, failed.message, failed.provider_ms],
            )

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction for whoever brings rows from another record."""
        with storage_errors(self.path, "run record"), immediate(self._connection):
            yield self._connection

    def finish(self, run: str, result: str, sentence: str) -> None:
        with storage_errors(self.path, "run record"):
            self._connection.execute(
                "UPDATE run SET finished = ?, result = ?, sentence = ? WHERE id = ?", [now(), result, sentence, run]
            )

    # -- reading -------------------------------------------------------------------------------------------------

    def run(self, name: str) -> RunInfo:
        """A run by its name or the start of it, or `latest`, shards aside. Raises InputError for none, or several."""
        where: str = "WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 2"
        values: list[str | int] = [len(name), name]
        if name == "latest":
            whole = "WHERE json_extract(facts, '$.shard') IS NULL"
            where, values = f"{whole} ORDER BY started DESC, rowid DESC LIMIT 1", []
        with storage_errors(self.path, "run record"):
            found = read_runs(self._connection, where, values)
        if not (found and name):
            hint = "`promptbench runs list` shows what there is"
            raise InputError(f"there is no run '{name}' in {self.path}", hint=hint)
        if len(found) > 1 and found[0].id != name:
            raise InputError(f"'{name}' means several runs", hint="write more of the run's name")
        return found[0]

    def suites(self) -> list[str]:
        """The suites that runs are on record of, by name."""
        with storage_errors(self.path, "run record"):
            return [str(row[0]) for row in self._connection.execute("SELECT DISTINCT suite FROM run ORDER BY suite")]

    def latest_of_suite(self, suite: str, *, finished: bool = False) -> str:
        """The name of the newest run of a suite, or of its `finished` ones. Raises InputError when there is none."""
        which = f"AND {_WHOLE}" if finished else ""
        with storage_errors(self.path, "run record"):
            row = self._connection.execute(
                f"SELECT id FROM run WHERE suite = ? {which} ORDER BY started DESC, rowid DESC LIMIT 1", [suite]
            ).fetchone()
        if row is None:
            raise InputError(f"there is no run of the suite '{suite}'", hint="`promptbench run` makes one")
        return str(row[0])

    def latest(self, prompt: str) -> str:
        """The name of the newest finished run that may prove something about a prompt: of a whole suite, and neither of
        logged calls nor a comparison. Raises InputError when there is none.
        """
        with storage_errors(self.path, "run record"):
            row = self._connection.execute(
                f"SELECT id FROM run WHERE prompt = ? AND {_WHOLE} AND "
                "json_extract(facts, '$.selection.compared') IS NULL AND "
                "json_extract(facts, '$.selection.replayed') IS NULL AND "
                "NOT coalesce(json_extract(facts, '$.partial'), 0) ORDER BY started DESC, rowid DESC LIMIT 1",
                [prompt],
            ).fetchone()
        if row is None:
            raise InputError(
                f"there is no finished run of a whole suite about '{prompt}'", hint="`promptbench run` makes one"
            )
        return str(row[0])

    def candidates_against(self, suite: str, champion: str) -> set[str]:
        """The versions that finished runs of a suite compared with this one, by their hashes."""
        with storage_errors(self.path, "run record"):
            rows = self._connection.execute(
                "SELECT DISTINCT candidate.hash FROM run "
                "JOIN variant AS champion ON champion.run = run.id AND champion.side = ? AND champion.hash = ? "
                "JOIN variant AS candidate ON candidate.run = run.id AND candidate.side = ? "
                "WHERE run.suite = ? AND run.finished IS NOT NULL",
                [Side.CHAMPION, champion, Side.CANDIDATE, suite],
            )
            return {str(row[0]) for row in rows}

    def outcomes(self, run: str, *, answered: bool = False, measured: bool = False) -> Iterator[Attempt]:
        """All attempts of a run without what was asked, answered and scored: enough for a verdict, and much faster.

        With `answered` those only that need no asking again; with `measured` their times and costs too.
        """
        which = "AND outcome IN ('passed', 'failed')" if answered else ""
        with storage_errors(self.path, "run record"):
            cursor = self._connection.execute(
                "SELECT variant, model, case_name, repeat, outcome, rung, well_formed, tries, cost, provider_ms "
                f"FROM attempt WHERE run = ? {which}",
                [run],
            )
            for variant, model, case, repeat, outcome, rung, well_formed, tries, cost, provider_ms in cursor:
                yield Attempt(
                    key=AttemptKey(variant, model, case, repeat),
                    outcome=Outcome(outcome),
                    request_hash="",
                    answer=Answer("", "", provider_ms=provider_ms or 0.0) if measured else None,
                    rung=Rung(rung) if rung else None,
                    well_formed=bool(well_formed),
                    tries=tries,
                    cost=cost if measured else None,
                )

    def attempts(self, run: str) -> Iterator[Attempt]:
        """All attempts of a run, one at a time."""
        with storage_errors(self.path, "run record"):
            cursor = self._connection.execute(
                f"SELECT {attempt_rows.COLUMNS} FROM attempt LEFT JOIN answer ON answer.hash = answer_hash "
                "WHERE run = ?",
                [run],
            )
            for row in cursor:
                yield attempt_rows.read(row)

    def attempts_at(self, run: str, variant: str, model: str, case: str) -> list[Attempt]:
        """The attempts of one prompt on one model and case, in the order of their repeats."""
        with storage_errors(self.path, "run record"):
            rows = self._connection.execute(
                f"SELECT {attempt_rows.COLUMNS} FROM attempt LEFT JOIN answer ON answer.hash = answer_hash "
                "WHERE run = ? AND variant = ? AND model = ? AND case_name = ? ORDER BY repeat",
                [run, variant, model, case],
            )
            return [attempt_rows.read(row) for row in rows]

    def covered(self, run: str) -> set[AttemptKey]:
        """The attempts of a run that were answered by a model's fallback."""
        with storage_errors(self.path, "run record"):
            rows = self._connection.execute(
                "SELECT variant, model, case_name, repeat FROM attempt WHERE run = ? AND fallback NOTNULL", [run]
            )
            return {AttemptKey(*row) for row in rows}

    def unjudged(self, run: str) -> set[AttemptKey]:
        """The attempts of a run that have their answers, and no verdict on them from a judge."""
        with storage_errors(self.path, "run record"):
            rows = self._connection.execute(
                f"SELECT variant, model, case_name, repeat FROM attempt WHERE run = ? AND {_UNJUDGED}", [run]
            )
            return {AttemptKey(*row) for row in rows}

    def unjudged_reasons(self, run: str) -> dict[str, int]:
        """Why these have no verdict, and how many of them; the most frequent reason first."""
        with storage_errors(self.path, "run record"):
            rows = self._connection.execute(
                f"SELECT error, count(*) FROM attempt WHERE run = ? AND {_UNJUDGED} GROUP BY error ORDER BY 2 DESC, 1",
                [run],
            )
            return {str(error): count for error, count in rows}

    def attempt(self, run: str, key: AttemptKey) -> Attempt | None:
        """One attempt of a run."""
        with storage_errors(self.path, "run record"):
            row = self._connection.execute(
                f"SELECT {attempt_rows.COLUMNS} FROM attempt LEFT JOIN answer ON answer.hash = answer_hash "
                "WHERE run = ? AND variant = ? AND model = ? AND case_name = ? AND repeat = ?",
                [run, key.variant, key.model, key.case, key.repeat],
            ).fetchone()
        return None if row is None else attempt_rows.read(row)

    def judged(self, run: str, request_hash: str) -> Answer | None:
        """What a judge answered to a question in a run, if it gave a verdict."""
        with storage_errors(self.path, "run record"):
            return judgings.find(self._connection, run, request_hash)

    def judgings(self, run: str) -> Iterator[Judging]:
        """All questions to judges in a run, one at a time."""
        with storage_errors(self.path, "run record"):
            yield from judgings.of_run(self._connection, run)

    def history(self, suite: str, prompt: str) -> Iterator[history.Figures]:
        """The figures of a suite's latest finished runs about a prompt, the oldest first."""
        with storage_errors(self.path, "run record"):
            yield from history.of_suite(self._connection, suite, prompt)

    # -- recordings and cache ------------------------------------------------------------------------------------

    def find(self, request_hash: str) -> tuple[Answer, bool] | None:
        """The kept answer to a request, and whether its model is deterministic."""
        with storage_errors(self.path, "run record"):
            row = self._connection.execute(
                "SELECT answer, deterministic FROM recording WHERE request_hash = ?", [request_hash]
            ).fetchone()
        return None if row is None else (replace(answers.loads(row[0]), recorded=True), bool(row[1]))

    def record(self, request_hash: str, model: str, answer: Answer, *, deterministic: bool) -> None:
        """Commits a recording of an answer that belongs to no attempt."""
        with storage_errors(self.path, "run record"), immediate(self._connection):
            answers.record(self._connection, request_hash, model, answer, deterministic=deterministic, at=now())

    def cache(self) -> CacheTable:
        """The cache, for as long as the store is open."""
        return CacheTable(self._connection, self.path)

    def retention(self) -> Retention:
        """What takes old runs out, over this connection."""
        return Retention(self._connection, self.path)

    def calls(self) -> CallStore:
        """The imported calls, over this connection."""
        return CallStore(self._connection, self.path)

    def listing(self) -> RunList:
        """What is on record about runs, over this connection."""
        return RunList(self._connection, self.path)

    def cases(self) -> RunCases:
        """What the cases of runs were, over this connection."""
        return RunCases(self._connection, self.path)

    def calibrations(self) -> Calibrations:
        """How often cases flake, over this connection."""
        return Calibrations(self._connection, self.path)

    def measurements(self) -> Measurements:
        """What calls took and cost, over this connection."""
        return Measurements(self._connection, self.path)

    def returned(self) -> Returned:
        """What models returned, over this connection."""
        return Returned(self._connection, self.path)

    def deterministic(self, model: str) -> bool | None:
        """Whether all recordings of a model are of a deterministic one; None when there is none."""
        with storage_errors(self.path, "run record"):
            row = self._connection.execute(
                "SELECT min(deterministic) FROM recording WHERE model = ?", [model]
            ).fetchone()
        return None if row[0] is None else bool(row[0])


def read_runs(connection: sqlite3.Connection, where: str, values: Sequence[str | int] = ()) -> list[RunInfo]:
    """The runs of a record that a WHERE clause lets through."""
    found = []
    for row in connection.execute(f"SELECT {_RUN} FROM run {where}", values).fetchall():
        fields = dict(zip(_RUN.split(", "), row, strict=True))
        variants = connection.execute("SELECT hash, side, name, source FROM variant WHERE run = ?", [row[0]])
        sides = tuple(RunVariant(one, Side(side), *rest) for one, side, *rest in variants)
        found.append(RunInfo(**{**fields, "facts": json.loads(fields["facts"]), "variants": sides}))
    return found


_RUN = "id, plan, suite, prompt, started, finished, result, sentence, tool_version, facts"
_WHOLE = f"finished IS NOT NULL AND result <> '{SHARD}'"
_UNJUDGED = "outcome = 'errored' AND answer_hash NOTNULL AND fallback IS NULL"
_SCORE = attrgetter(*(field.name for field in fields(Score)))
"""What `astuple` gives, without its copies of plain values."""
