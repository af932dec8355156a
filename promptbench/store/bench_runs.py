"""Latency and cost measurements: two tables of `runs.sqlite` that `bench` fills."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from promptbench.core.clock import now
from promptbench.core.errors import InputError
from promptbench.core.types import Json, MeasuredCall, Usage
from promptbench.store.names import new_run_name
from promptbench.store.run_table import RunTable

LATEST = "latest"
_SELECT = "SELECT id, suite, prompt, version, started, finished, tool_version, facts FROM measurement"
_TOKENS = tuple(item.name for item in fields(Usage))
_PLAIN = tuple(item.name for item in fields(MeasuredCall) if item.name not in ("case", "usage"))


@dataclass(frozen=True, slots=True)
class BenchRunInfo:
    """A bench run without its calls. `finished` is None if it ended before all calls were made."""

    id: str
    suite: str
    prompt: str
    version: str
    started: str
    finished: str | None
    tool_version: str
    facts: Mapping[str, Json]


class BenchRuns(RunTable):
    """The tables `measurement` and `measured_call`."""

    def start(self, suite: str, prompt: str, version: str, tool_version: str, facts: Mapping[str, Json]) -> str:
        """Commit a new bench run and return its name."""
        at = now()
        name = new_run_name(at)
        row = [name, suite, prompt, version, at, None, tool_version, json.dumps(dict(facts), ensure_ascii=False)]
        with self.transaction() as connection:
            connection.execute("INSERT INTO measurement VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return name

    def add(self, name: str, calls: Iterable[MeasuredCall]) -> None:
        """Commit calls that have ended."""
        columns = ("measurement", "case_name", *_PLAIN, *_TOKENS)
        sql = f"INSERT INTO measured_call ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        with self.transaction() as connection:
            connection.executemany(sql, ([name, call.case, *_plain(call), *_tokens(call)] for call in calls))

    def finish(self, name: str) -> None:
        """Record that all calls were made."""
        with self.transaction() as connection:
            connection.execute("UPDATE measurement SET finished = ? WHERE id = ?", [now(), name])

    def find(self, name: str) -> BenchRunInfo:
        """Return the bench run with this name or unique prefix, or the `latest`. Raise InputError if not found."""
        if name == LATEST:
            name = next((item.id for item in self.newest(limit=1)), name)
        rows = list(self._rows(f"{_SELECT} WHERE substr(id, 1, ?) = ?", [len(name), name]))
        if len(rows) != 1:
            what = f"several measurements begin with '{name}'" if rows else f"measurement '{name}' not found"
            raise InputError(what, hint="`promptbench bench --history` lists them")
        return _info(rows[0])

    def newest(self, *, about: str | None = None, limit: int = -1) -> list[BenchRunInfo]:
        """Return bench runs, newest first: all, or those of the suite or prompt called `about`."""
        sql = f"{_SELECT} WHERE ? IS NULL OR ? IN (suite, prompt) ORDER BY started DESC, rowid DESC LIMIT ?"
        return [_info(row) for row in self._rows(sql, [about, about, limit])]

    def calls(self, name: str) -> Iterator[MeasuredCall]:
        """Yield the calls of a bench run in the order in which they were due."""
        columns = ", ".join(("case_name", *_PLAIN, *_TOKENS))
        sql = f"SELECT {columns} FROM measured_call WHERE measurement = ? ORDER BY due_ms, model, number"
        for case, *rest in self._rows(sql, [name]):
            plain, tokens = rest[: len(_PLAIN)], rest[len(_PLAIN) :]
            usage = None if tokens[0] is None else Usage(*tokens)
            yield MeasuredCall(case=case, usage=usage, **dict(zip(_PLAIN, plain, strict=True)))


def _plain(call: MeasuredCall) -> Iterator[object]:
    return (getattr(call, name) for name in _PLAIN)


def _tokens(call: MeasuredCall) -> Iterator[object]:
    return (getattr(call.usage, name) if call.usage else None for name in _TOKENS)


def _info(row: tuple[Any, ...]) -> BenchRunInfo:
    return BenchRunInfo(*(*row[:-1], json.loads(row[-1])))
