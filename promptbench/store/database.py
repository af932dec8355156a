"""Open `prompts.sqlite`, and all SQL statements of the prompt store."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from promptbench.core.canonical import canonical, digest_text, lf, parse_json, short
from promptbench.core.errors import ConflictError, EnvironmentFailure
from promptbench.store import migrations, prompts_schema
from promptbench.store.chain import TAMPERED, LabelEvent, Version, event_file_name

if TYPE_CHECKING:
    from promptbench.core.types import Json

FILE_NAME = "prompts.sqlite"
WHAT = "prompt store"

_EVENT = (
    "prompt, sequence, kind, label, from_hash, to_hash, to_number, evidence, actor, reason, at, prev, hash, summary, "
    "merged"
)
_VERSION = """SELECT version.prompt, number, version.hash, source.text, content.text, created, source_hash
    FROM version LEFT JOIN blob AS source ON source.hash = source_hash
    LEFT JOIN blob AS content ON content.hash = version.hash"""

_MOVE = "move the file away and run the command again"
_WRITABLE = "make the file, its folder and the disk writable, and run the command again"
# Seconds between two attempts to take a write lock that another process holds.
_RETRY_SECONDS = 0.005
# Bytes of the largest page that SQLite writes.
_MAX_PAGE = 64 * 1024
_FAILURES = {
    sqlite3.SQLITE_BUSY: (
        "another process kept it locked for too long",
        "wait for the other process, or find one that hangs, and run the command again",
    ),
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space and run the command again; nothing was lost"),
    sqlite3.SQLITE_READONLY: ("it is not writable", _WRITABLE),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "it must be a file, and its folder must be accessible"),
    sqlite3.SQLITE_IOERR: ("disk I/O error", "check space, quota and health of the disk"),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", _MOVE),
    sqlite3.SQLITE_NOTADB: ("the file is not an SQLite database", _MOVE),
}


def _is_full(folder: Path) -> bool:
    import shutil

    try:
        return shutil.disk_usage(folder).free < _MAX_PAGE
    except OSError:
        return False


@contextmanager
def storage_errors(path: Path, what: str = WHAT) -> Iterator[None]:
    """Turn errors of SQLite and the disk into an EnvironmentFailure with a hint."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_CANTOPEN and any(
            location.exists() and not os.access(location, os.W_OK) for location in (path, path.parent)
        ):
            # A file in WAL mode needs others next to it, also for reading.
            code = sqlite3.SQLITE_READONLY
        elif code == sqlite3.SQLITE_IOERR and _is_full(path.parent):
            code = sqlite3.SQLITE_FULL
        message, hint = _FAILURES.get(code, (str(error), _MOVE))
        if hint is _WRITABLE and what == WHAT:
            hint += "; reading works as it is"
        if hint is _MOVE and what == WHAT:
            hint = f"{_MOVE}: it is rebuilt from the text mirror beside it"
        raise EnvironmentFailure(f"{what} {path}: {message}", hint=hint) from error
    except OSError as error:
        where = error.filename or path
        raise EnvironmentFailure(
            f"{what}: {where}: {error.strerror or error}",
            hint="check disk space and permissions; nothing was lost",
        ) from error


@contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block from `BEGIN IMMEDIATE` to `COMMIT`, so that a writer never fails to upgrade a read lock."""
    _begin(connection)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _begin(connection: sqlite3.Connection) -> None:
    # SQLite's own busy handler soon tries only ten times a second, so a writer that has waited long would lose to those
    # that have just come.
    patience = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    end = time.monotonic() + patience / 1000
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
            time.sleep(_RETRY_SECONDS)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")


class Database:
    """One connection. `path` is None for a database in memory."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self.connection = connection
        self.path = path
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA recursive_triggers = ON")

    @classmethod
    def open(cls, path: Path, *, timeout: float, mode: str = "rw") -> Database:
        """Open a file; writers wait `timeout` seconds for each other. Migrations may be pending afterwards.

        `mode` is SQLite's: `rwc` creates the file, `ro` changes nothing.
        """
        address = f"{path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(address, uri=True, timeout=timeout, isolation_level=None)
        try:
            database = cls(connection, path)
            # Somebody may have switched the file to WAL, which loses data in many SQLite versions.
            if mode != "ro" and connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                connection.execute("PRAGMA journal_mode = DELETE")
        except BaseException:
            connection.close()
            raise
        return database

    @classmethod
    def memory(cls) -> Database:
        """Return an empty database in memory with all tables."""
        database = cls(sqlite3.connect(":memory:", isolation_level=None), None)
        # Nobody else reads it, so it needs no record of its migrations, nor the slow import of sqlite-utils.
        for statements in prompts_schema.MIGRATIONS.values():
            for statement in statements:
                database.connection.execute(statement)
        return database

    def pending(self) -> bool:
        """Return True if migrations are pending. Raise EnvironmentFailure for another program's or a newer file."""
        return migrations.pending(self.connection, prompts_schema.SET, prompts_schema.MIGRATIONS, WHAT)

    def migrate(self) -> None:
        """Apply pending migrations, inside a `transaction`."""
        migrations.apply(self.connection, prompts_schema.SET, prompts_schema.MIGRATIONS)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Run a block as a whole or not at all."""
        return immediate(self.connection)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read a consistent state. A writer cannot commit meanwhile, so the block must be short."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def prompts(self) -> list[str]:
        """Return the names of all prompts."""
        # One seek a prompt; DISTINCT would read every event.
        rows = self.connection.execute(
            """WITH RECURSIVE name(prompt) AS (
                SELECT min(prompt) FROM event
                UNION ALL
                SELECT (SELECT min(prompt) FROM event WHERE event.prompt > name.prompt) FROM name WHERE prompt NOTNULL
            ) SELECT prompt FROM name WHERE prompt NOTNULL"""
        )
        return [row[0] for row in rows]

    def event_names(self, prompt: str) -> list[str]:
        """Return the mirror's file names of the prompt's events, oldest first."""
        rows = self.connection.execute(
            "SELECT sequence, kind, hash FROM event WHERE prompt = ? ORDER BY sequence", [prompt]
        )
        return [event_file_name(*row) for row in rows]

    def events(self, prompt: str) -> list[LabelEvent]:
        """Return the prompt's events, oldest first."""
        rows = self.connection.execute(f"SELECT {_EVENT} FROM event WHERE prompt = ? ORDER BY sequence", [prompt])
        return [LabelEvent(*[*fields, _merged(merged)]) for *fields, merged in rows]

    def merged_names(self, prompt: str) -> set[str]:
        """Return the file names of the events that are inside merged events now."""
        rows = self.connection.execute("SELECT merged FROM event WHERE prompt = ? AND merged NOTNULL", [prompt])
        return {inner.file_name for row in rows if (event := _merged(row[0])) for inner in event.within()}

    def labels(self, prompt: str) -> dict[str, str]:
        """Return label to version hash, from the view."""
        rows = self.connection.execute("SELECT label, hash FROM label WHERE prompt = ? ORDER BY label", [prompt])
        return {row[0]: row[1] for row in rows}

    def hashes(self, prompt: str) -> dict[str, int]:
        """Return version hash to number."""
        rows = self.connection.execute("SELECT hash, number FROM version WHERE prompt = ? ORDER BY number", [prompt])
        return {row[0]: row[1] for row in rows}

    def version(self, prompt: str, tagged: str, *, number: int | None = None) -> Version:
        """Return a version. Raise ConflictError if its row was edited or its text is missing."""
        row = self.connection.execute(f"{_VERSION} WHERE prompt = ? AND version.hash = ?", [prompt, tagged]).fetchone()
        if row is None or number not in (None, row[1]):
            raise self._tampered(f"{prompt}: version {short(tagged)}")
        _, known, _, source, content, created, source_hash = row
        if source is None or content is None or (digest_text(source), digest_text(content)) != (source_hash, tagged):
            raise self._tampered(f"{prompt}: the text of version {known}")
        return Version(prompt, known, tagged, source, json.loads(content), created)

    def evidence(self, tagged: str) -> Json | None:
        """Return an evidence document, or None. Raise ConflictError if its row was edited."""
        row = self.connection.execute("SELECT body FROM evidence WHERE hash = ?", [tagged]).fetchone()
        if row is None:
            return None
        try:
            if digest_text(row[0]) == tagged:
                return parse_json(row[0])
        except ValueError:
            pass
        raise self._tampered(f"evidence {short(tagged)}")

    def add_version(self, version: Version) -> None:
        """Insert a version and its texts, unless it exists."""
        source_hash = self._add_blob(lf(version.source))
        content_hash = self._add_blob(canonical(version.content))
        if content_hash != version.hash:
            raise ValueError(f"hash_of gave {version.hash} for content that has {content_hash}")
        self.connection.execute(
            """INSERT INTO version (prompt, number, hash, source_hash, created) SELECT ?1, ?2, ?3, ?4, ?5
            WHERE NOT EXISTS (SELECT 1 FROM version WHERE prompt = ?1 AND number = ?2 AND hash = ?3)""",
            [version.prompt, version.number, version.hash, source_hash, version.created],
        )

    def add_evidence(self, tagged: str, body: str) -> None:
        """Insert evidence, unless it exists. `body` is canonical JSON, `tagged` its hash."""
        self.connection.execute(
            "INSERT INTO evidence SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM evidence WHERE hash = ?1)",
            [tagged, body],
        )

    def add_event(self, event: LabelEvent) -> None:
        """Append an event."""
        names = _EVENT.split(", ")[:-1]
        merged = canonical(event.merged.as_dict()) if event.merged else None
        self.connection.execute(
            f"INSERT INTO event ({_EVENT}) VALUES ({', '.join('?' * (len(names) + 1))})",
            [*(getattr(event, name) for name in names), merged],
        )
        self._count(1)

    def counts(self) -> tuple[int, int]:
        """Return the number of events that promptbench has written, and the number present.

        They differ if another program added or removed one. A first number of 0 means that the file is older than this
        counter.
        """
        # One statement, so that both are of one moment.
        query = "SELECT user_version, (SELECT count(*) FROM event) FROM pragma_user_version"
        written, present = self.connection.execute(query).fetchone()
        return int(written), int(present)

    def check_counts(self) -> None:
        """Raise ConflictError if another program added events."""
        written, present = self.counts()
        if written and present > written:
            raise ConflictError(
                f"the database holds {present} events, {written} of them written by promptbench: "
                "another program added the rest",
                hint=TAMPERED,
            )

    def _count(self, more: int) -> None:
        # In the file's header, which no INSERT or DELETE of another program changes.
        written = int(self.connection.execute("PRAGMA user_version").fetchone()[0])
        count = written + more if written else self.counts()[1]
        self.connection.execute(f"PRAGMA user_version = {count}")

    def make_room(self, prompt: str) -> None:
        """Remove a prompt's events and version numbers, inside a `transaction` that inserts all of them in a new order.

        This is the only change that is not an addition. Texts and evidence stay.
        """
        execute = self.connection.execute
        kept = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('event', 'version')"
        triggers = execute(kept).fetchall()
        for name, _ in triggers:
            execute(f'DROP TRIGGER "{name}"')
        self._count(-execute("DELETE FROM event WHERE prompt = ?", [prompt]).rowcount)
        execute("DELETE FROM version WHERE prompt = ?", [prompt])
        for _, statement in triggers:
            execute(statement)

    def _add_blob(self, text: str) -> str:
        tagged = digest_text(text)
        self.connection.execute(
            "INSERT INTO blob SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM blob WHERE hash = ?1)", [tagged, text]
        )
        return tagged

    def _tampered(self, what: str) -> ConflictError:
        return ConflictError(
            f"{what} was edited or removed inside {self.path}",
            hint="`promptbench store verify` shows what else was; move the file away to rebuild it from the mirror",
        )


def _merged(text: str | None) -> LabelEvent | None:
    return LabelEvent.from_dict(json.loads(text)) if text else None
