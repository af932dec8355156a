"""Schema steps, applied once each and on record in the file, as sqlite-utils keeps them.

sqlite-utils is imported only when a step is pending: reading a prompt must stay fast. A step is a tuple of statements,
never a script, because `executescript` would commit the surrounding transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from promptbench.core.errors import EnvironmentFailure

if TYPE_CHECKING:
    from sqlite_utils import Database

Steps = Mapping[str, tuple[str, ...]]
"""Step name to statements, in the order of application."""


def pending(connection: sqlite3.Connection, name: str, steps: Steps, what: str) -> bool:
    """Whether steps of the set `name` are still to be applied. `what` is what people call the file.

    Raises:
        EnvironmentFailure: the file is another program's, or was written by a newer promptbench.
    """
    tables = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    applied: set[str] = set()
    if "_sqlite_migrations" in tables:
        rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", [name])
        applied = {str(row[0]) for row in rows}
    if unknown := sorted(applied - set(steps)):
        raise EnvironmentFailure(
            f"the {what} was written by a newer promptbench (it knows {unknown[0]!r})",
            hint="upgrade promptbench; nothing was changed",
        )
    if tables and not applied:
        raise EnvironmentFailure(
            f"the file in place of the {what} is another program's database",
            hint="move it away and run the command again",
        )
    return len(applied) < len(steps)


def apply(connection: sqlite3.Connection, name: str, steps: Steps) -> None:
    """Applies what is pending. The caller holds a `BEGIN IMMEDIATE`: sqlite-utils alone would race."""
    from sqlite_utils import Database, Migrations

    migrations = Migrations(name)
    for step, statements in steps.items():
        migrations(name=step)(_runner(step, statements))
    migrations.apply(Database(connection, execute_plugins=False))


def _runner(step: str, statements: tuple[str, ...]) -> Callable[[Database], None]:
    def run(database: Database) -> None:
        for statement in statements:
            database.conn.execute(statement)

    run.__name__ = step
    return run
