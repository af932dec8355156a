"""Looks for everything in a prompt store that is not as the tool wrote it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from promptbench.core.canonical import digest_text
from promptbench.core.errors import ConflictError, InputError
from promptbench.store.chain import Event, Ledger
from promptbench.store.database import Database
from promptbench.store.mirror import Mirror
from promptbench.store.names import is_prompt_name
from promptbench.store.proof import Proof
from promptbench.store.sync import Sync

_REBUILD = "move prompts.sqlite away and run any command: it is rebuilt from the text mirror"
_RESTORE = "restore it with git; without git, delete the prompt's folder: it is written again from the database"
_STRANGER = "delete it, or restore with git what belongs to it"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `prompt` is empty where it concerns the whole file.

    `kind` is `database` (pages, foreign keys), `schema` (tables, triggers, views), `chain` (events), `version`,
    `evidence`, `label` (the view says something else than the events), `mirror` (files) or `conflict`.
    """

    prompt: str
    kind: str
    message: str
    hint: str


def findings(sync: Sync) -> list[Finding]:
    """Checks the database as it is, then levels every prompt with its mirror and checks the files."""
    database, mirror = sync.database, sync.mirror
    try:
        found = [*_file(database), *_schema(database)]
        if any(finding.message.startswith("table ") for finding in found):
            return found
        found += _hashes(database)
        prompts = database.prompts()
        for prompt in prompts:
            found += _history(sync, prompt)
        for prompt in sorted({*prompts, *mirror.prompts()}):
            found += _mirror(sync, prompt)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return [Finding("", "database", f"the file is damaged: {error}", _REBUILD)]
    return found + list(_strangers(mirror))


def _file(database: Database) -> Iterator[Finding]:
    for row in database.connection.execute("PRAGMA integrity_check(20)"):
        if row[0] != "ok":
            yield Finding("", "database", f"SQLite finds the file damaged: {row[0]}", _REBUILD)
    for row in database.connection.execute("PRAGMA foreign_key_check"):
        yield Finding("", "database", f"a row of {row[0]} refers to a row of {row[2]} that is gone", _REBUILD)


def _schema(database: Database) -> Iterator[Finding]:
    fresh = Database.memory()
    try:
        wanted = _objects(fresh)
    finally:
        fresh.close()
    actual = _objects(database)
    for (kind, name), (table, sql) in wanted.items():
        if (kind, name) not in actual:
            yield Finding("", "schema", f"{kind} {name} on {table} is gone", _REBUILD)
        elif actual[kind, name][1] != sql:
            yield Finding("", "schema", f"{kind} {name} is not as promptbench made it", _REBUILD)
    tables = {name for kind, name in wanted if kind == "table"}
    for (kind, name), (table, _) in actual.items():
        if kind == "trigger" and table in tables and (kind, name) not in wanted:
            yield Finding("", "schema", f"trigger {name} on {table} is not promptbench's", _REBUILD)


def _objects(database: Database) -> dict[tuple[str, str], tuple[str, str]]:
    rows = database.connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql NOTNULL")
    return {(row[0], row[1]): (row[2], row[3]) for row in rows if not row[2].startswith(("sqlite_", "_sqlite_"))}


def _hashes(database: Database) -> Iterator[Finding]:
    for table, column, kind, name in (
        ("blob", "text", "version", "text"),
        ("evidence", "body", "evidence", "evidence"),
    ):
        for tagged, text in database.connection.execute(f"SELECT hash, {column} FROM {table}"):
            if digest_text(text) != tagged:
                yield Finding("", kind, f"the {name} {tagged} in the database does not have that hash", _REBUILD)


def _history(sync: Sync, prompt: str) -> Iterator[Finding]:
    database = sync.database
    events = database.events(prompt)
    ledger = Ledger(prompt)
    for event in events:
        try:
            ledger.add(event)
        except ValueError as error:
            yield Finding(prompt, "chain", f"event {event.sequence} ({event.kind}): {error}", _REBUILD)
            break
    else:
        yield from _outcome(database, ledger)
    yield from _versions(sync, prompt, events)
    for event in events:
        if objection := _proof(database, event):
            yield Finding(prompt, "evidence", f"event {event.sequence} ({event.kind}): {objection}", _REBUILD)


def _outcome(database: Database, ledger: Ledger) -> Iterator[Finding]:
    """Whether the rows that are derived from the events say what the events say."""
    if database.hashes(ledger.prompt) != ledger.numbers:
        yield Finding(ledger.prompt, "version", "its versions are not those that its events speak of", _REBUILD)
    try:
        labels = database.labels(ledger.prompt)
    except sqlite3.OperationalError:
        return
    if labels != ledger.labels:
        yield Finding(ledger.prompt, "label", f"the view says {labels}, the events say {ledger.labels}", _REBUILD)


def _versions(sync: Sync, prompt: str, events: list[Event]) -> Iterator[Finding]:
    created: dict[str | None, str] = {}
    for event in events:
        created.setdefault(event.to_hash, event.at)
    for known in sync.database.hashes(prompt):
        try:
            version = sync.database.version(prompt, known)
            tagged = sync.hash_of(version.source)[0]
        except (ValueError, InputError, ConflictError) as error:
            yield Finding(prompt, "version", f"version {known} cannot be read: {error}", _REBUILD)
            continue
        name = f"{prompt}@{version.number}"
        if tagged != version.hash:
            yield Finding(prompt, "version", f"the text of {name} is {tagged}, not {version.hash}", _REBUILD)
        if version.created != created.get(version.hash, version.created):
            yield Finding(prompt, "version", f"{name} was not created at {version.created}", _REBUILD)


def _proof(database: Database, event: Event) -> str | None:
    if event.evidence is None:
        return None
    try:
        evidence = database.evidence(event.evidence)
        if evidence is None:
            return f"its evidence {event.evidence} is missing"
        if event.kind == "forced":
            return None
        objection = Proof.read(evidence).objection(event.prompt, event.to_hash, event.from_hash)
    except (ValueError, ConflictError) as error:
        return f"its evidence is not readable: {error}"
    return f"its evidence proves something else: {objection}" if objection else None


def _mirror(sync: Sync, prompt: str) -> Iterator[Finding]:
    try:
        sync.read(prompt)
    except ConflictError as error:
        yield Finding(prompt, "conflict", error.message, error.hint or "")
        return
    readers = _readers(sync, prompt)
    for read in readers.values():
        try:
            read()
        except ConflictError as error:
            yield Finding(prompt, "mirror", error.message, _RESTORE)
    for path in sync.mirror.files(prompt):
        if path not in readers:
            yield Finding(prompt, "mirror", f"{path} is not part of the history", _STRANGER)


def _readers(sync: Sync, prompt: str) -> dict[Path, Callable[[], object]]:
    """Every file that the prompt should have, with the reader that objects when it is missing or edited."""
    database, mirror = sync.database, sync.mirror
    readers: dict[Path, Callable[[], object]] = {}
    for tagged, number in database.hashes(prompt).items():
        path = mirror.version_path(prompt, number, tagged)
        readers[path] = partial(_check_version, sync, prompt, tagged)
    for event in database.events(prompt):
        readers[mirror.event_path(prompt, event.file_name)] = partial(mirror.read_event, prompt, event.file_name)
        if event.evidence:
            path = mirror.evidence_path(prompt, event.evidence)
            readers[path] = partial(mirror.read_evidence, prompt, event.evidence)
    return readers


def _check_version(sync: Sync, prompt: str, tagged: str) -> None:
    sync.mirror.check_version(sync.database.version(prompt, tagged))


def _strangers(mirror: Mirror) -> Iterator[Finding]:
    known = set(mirror.prompts())
    if not mirror.folder.is_dir():
        return
    for path in sorted(mirror.folder.iterdir()):
        if path.name not in known and not path.name.startswith(".") and (path.is_dir() or is_prompt_name(path.name)):
            yield Finding("", "mirror", f"{path} is not part of any prompt's history", _STRANGER)
