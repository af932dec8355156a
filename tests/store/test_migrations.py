from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from promptbench.core.errors import EnvironmentFailure
from promptbench.store.migrations import apply, pending

MIGRATIONS = {
    "0001": ("CREATE TABLE t (a TEXT)", "CREATE TABLE u (a TEXT)"),
    "0002": ("ALTER TABLE t ADD COLUMN b TEXT",),
}


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def test_steps_are_applied_once_and_in_order(connection: sqlite3.Connection) -> None:
    first = {"0001": MIGRATIONS["0001"]}
    assert pending(connection, "set", first, "file")
    apply(connection, "set", first)
    assert not pending(connection, "set", first, "file")
    assert pending(connection, "set", MIGRATIONS, "file")
    apply(connection, "set", MIGRATIONS)
    apply(connection, "set", MIGRATIONS)
    assert not pending(connection, "set", MIGRATIONS, "file")
    connection.execute("INSERT INTO t (a, b) VALUES (1, 2)")


def test_a_failing_step_is_rolled_back_with_its_transaction(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError):
        apply(connection, "set", {"0001": ("CREATE TABLE t (a TEXT)", "CREATE TABLE t (a TEXT)")})
    connection.execute("ROLLBACK")
    assert pending(connection, "set", MIGRATIONS, "file")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_a_newer_file_is_refused(connection: sqlite3.Connection) -> None:
    apply(connection, "set", MIGRATIONS)
    with pytest.raises(
        EnvironmentFailure, match=r"the file was written by a newer promptbench \(unknown migration '0002'\)"
    ):
        pending(connection, "set", {"0001": MIGRATIONS["0001"]}, "file")


def test_another_programs_file_is_refused(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE user (name TEXT)")
    with pytest.raises(EnvironmentFailure, match="another program's database"):
        pending(connection, "set", MIGRATIONS, "file")
