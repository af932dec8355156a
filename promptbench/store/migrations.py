"""Schema migrations, each applied once and recorded in the file the way sqlite-utils does.

sqlite-utils is imported only when a migration is pending, because reading a prompt must stay fast. A migration is a
tuple of statements, never a script: `executescript` would commit the surrounding transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from promptbench.core.errors import EnvironmentFailure

if TYPE_CHECKING:
    from sqlite_utils import Database

# Migration name to statements, in the order of application.
Migrations = Mapping[str, tuple[str, ...]]


def pending(connection: sqlite3.Connection, name: str, migrations: Migrations, what: str) -> bool:
    """Return True if migrations of the set `name` are still to be applied. `what` names the file in messages.

    Raises:
        EnvironmentFailure: another program or a newer promptbench wrote the file.
    """
    tables = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    applied: set[str] = set()
    if "_sqlite_migrations" in tables:
        rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", [name])
        applied = {str(row[0]) for row in rows}
    if unknown := sorted(applied - set(migrations)):
        raise EnvironmentFailure(
            f"the {what} was written by a newer promptbench (unknown migration {unknown[0]!r})",
            hint="upgrade promptbench; nothing was changed",
        )
    if tables and not applied:
        raise EnvironmentFailure(
            f"the file at the {what}'s location is another program's database",
            hint="move it away and run the command again",
        )
    return len(applied) < len(migrations)


def apply(connection: sqlite3.Connection, name: str, migrations: Migrations) -> None:
    """Apply what is pending. The caller holds a `BEGIN IMMEDIATE`: sqlite-utils alone races between processes."""
    from sqlite_utils import Database, Migrations as MigrationSet

    known = MigrationSet(name)
    for migration, statements in migrations.items():
        known(name=migration)(_runner(migration, statements))
    known.apply(Database(connection, execute_plugins=False))


def _runner(name: str, statements: tuple[str, ...]) -> Callable[[Database], None]:
    def run(database: Database) -> None:
        for statement in statements:
            database.conn.execute(statement)

    run.__name__ = name
    return run
