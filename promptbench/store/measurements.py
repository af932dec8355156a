"""What calls took and cost, measured for its own sake: two tables of `runs.sqlite` that `bench` fills."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from promptbench.core.clock import now
from promptbench.core.errors import InputError
from promptbench.core.measured import MeasuredCall
from promptbench.core.types import Json, Usage
from promptbench.store.database import immediate, storage_errors

LATEST = "latest"
_SELECT = "SELECT id, suite, prompt, version, started, finished, tool_version, facts FROM measurement"
_TOKENS = tuple(item.name for item in fields(Usage))
_PLAIN = tuple(item.name for item in fields(MeasuredCall) if item.name not in ("case", "usage"))


@dataclass(frozen=True, slots=True)
class MeasurementInfo:
    """A measurement without its calls. `finished` is None where it ended before all of them were made."""

    id: str
    suite: str
    prompt: str
    version: str
    started: str
    finished: str | None
    tool_version: str
    facts: Mapping[str, Json]


class Measurements:
    """The tables, over the connection of the run record."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def start(self, suite: str, prompt: str, version: str, tool_version: str, facts: Mapping[str, Json]) -> str:
        """A new measurement; its name."""
        at = now()
        name = at[:19].replace("-", "").replace("T", "-").replace(":", "") + "-" + secrets.token_hex(2)
        row = [name, suite, prompt, version, at, None, tool_version, json.dumps(dict(facts), ensure_ascii=False)]
        with storage_errors(self._path, "run record"), immediate(self._connection):
            self._connection.execute("INSERT INTO measurement VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return name

    def add(self, name: str, calls: Iterable[MeasuredCall]) -> None:
        """Commits calls that have ended."""
        columns = ", ".join(("measurement", "case_name", *_PLAIN, *_TOKENS))
        marks = ", ".join("?" * (2 + len(_PLAIN) + len(_TOKENS)))
        with storage_errors(self._path, "run record"), immediate(self._connection):
            self._connection.executemany(
                f"INSERT INTO measured_call ({columns}) VALUES ({marks})",
                ([name, call.case, *_plain(call), *_tokens(call)] for call in calls),
            )

    def finish(self, name: str) -> None:
        """Notes that all calls were made."""
        with storage_errors(self._path, "run record"), immediate(self._connection):
            self._connection.execute("UPDATE measurement SET finished = ? WHERE id = ?", [now(), name])

    def find(self, name: str) -> MeasurementInfo:
        """The measurement of that name, or whose name begins so, or the `latest`. Raises InputError."""
        if name == LATEST:
            name = next((item.id for item in self.newest(limit=1)), name)
        with storage_errors(self._path, "run record"):
            rows = self._connection.execute(f"{_SELECT} WHERE substr(id, 1, ?) = ?", [len(name), name]).fetchall()
        if len(rows) != 1:
            what = f"several measurements begin with '{name}'" if rows else f"there is no measurement '{name}'"
            raise InputError(what, hint="`promptbench bench --history` lists them")
        return _info(rows[0])

    def newest(self, *, about: str | None = None, limit: int = -1) -> list[MeasurementInfo]:
        """The newest, the newest first: all, or those of a suite or a prompt of that name."""
        sql = f"{_SELECT} WHERE ? IS NULL OR ? IN (suite, prompt) ORDER BY started DESC, rowid DESC LIMIT ?"
        with storage_errors(self._path, "run record"):
            return [_info(row) for row in self._connection.execute(sql, [about, about, limit])]

    def calls(self, name: str) -> Iterator[MeasuredCall]:
        """The calls of a measurement, as they were due."""
        columns = ", ".join(("case_name", *_PLAIN, *_TOKENS))
        sql = f"SELECT {columns} FROM measured_call WHERE measurement = ? ORDER BY due_ms, model, number"
        with storage_errors(self._path, "run record"):
            for case, *rest in self._connection.execute(sql, [name]):
                plain, tokens = rest[: len(_PLAIN)], rest[len(_PLAIN) :]
                usage = None if tokens[0] is None else Usage(*tokens)
                yield MeasuredCall(case=case, usage=usage, **dict(zip(_PLAIN, plain, strict=True)))


def _plain(call: MeasuredCall) -> Iterator[object]:
    return (getattr(call, name) for name in _PLAIN)


def _tokens(call: MeasuredCall) -> Iterator[object]:
    return (getattr(call.usage, name) if call.usage else None for name in _TOKENS)


def _info(row: tuple[Any, ...]) -> MeasurementInfo:
    return MeasurementInfo(*(*row[:-1], json.loads(row[-1])))
