"""Find everything in a prompt store that is not as promptbench wrote it."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from promptbench.core.canonical import digest_text, short
from promptbench.core.errors import ConflictError, InputError
from promptbench.store.chain import LabelEvent, Ledger
from promptbench.store.database import Database
from promptbench.store.mirror import Mirror
from promptbench.store.names import is_prompt_name
from promptbench.store.proof import objection
from promptbench.store.sync import Sync, SyncState, shown

_REBUILD = "move prompts.sqlite away and run any command: it is rebuilt from the text mirror"
_MIRROR_FIRST = f"fix the text mirror first, see the findings about its files; then {_REBUILD}"
_RESTORE = "restore it with git; without git, delete the prompt's folder: it is rewritten from the database"
_ONLY_GIT = "restore it with git: the database is invalid too"
_UNKNOWN_FILE = "delete it, or restore with git what belongs to it"
_REFUSED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


@dataclass(frozen=True, slots=True)
class StoreFinding:
    """One problem. `prompt` is empty if it concerns the whole file.

    `kind` is `database` (pages, foreign keys), `schema` (tables, triggers, views), `chain` (events), `version`,
    `evidence`, `label` (the view does not match the events), `mirror` (files) or `conflict`.
    """

    prompt: str
    kind: str
    message: str
    hint: str


def findings(sync: Sync) -> list[StoreFinding]:
    """Check the database as it is, then synchronize every prompt with its mirror and check the files.

    Every hint fixes its finding. If database and mirror are both invalid, it says which to fix first.
    """
    database, mirror = sync.database, sync.mirror
    try:
        inside = [*_file(database), *_schema(database)]
        readable = not any(finding.message.startswith("table ") for finding in inside)
        if readable:
            inside += [*_counts(database), *_hashes(database)]
        prompts = database.prompts() if readable else []
        for prompt in prompts:
            with database.snapshot():
                inside += _history(sync, prompt)
        invalid = {finding.prompt for finding in inside if finding.kind != "schema" or not readable}
        files: list[StoreFinding] = []
        for prompt in sorted({*prompts, *mirror.prompts()}):
            files += _rebuilt(sync, prompt) if {"", prompt} & invalid else _synchronized(sync, prompt)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        inside, files = [StoreFinding("", "database", f"the file is damaged: {error}", _REBUILD)], []
        for prompt in mirror.prompts():
            files += _rebuilt(sync, prompt)
    files += _unknown_files(mirror)
    if any(finding.hint != _UNKNOWN_FILE for finding in files):
        inside = [replace(finding, hint=_MIRROR_FIRST) for finding in inside]
    return inside + files


def notes(sync: Sync) -> list[str]:
    """Describe how the next read will synchronize database and mirror. Change nothing."""
    lines = []
    for prompt in sorted({*sync.database.prompts(), *sync.mirror.prompts()}):
        state = sync.state(prompt)
        ours, theirs = sync.database.event_names(prompt), sync.mirror.event_names(prompt)
        if state is SyncState.MIRROR_AHEAD:
            new = ", ".join(map(shown, theirs[len(ours) :][:3]))
            lines.append(f"{prompt}: imported from the text mirror, as after a `git pull`: {new}")
        elif state is SyncState.DATABASE_AHEAD:
            new = ", ".join([shown(name) for name in ours if name not in theirs][:3])
            lines.append(f"{prompt}: written to the text mirror, where it was missing: {new}")
    return lines


def _file(database: Database) -> Iterator[StoreFinding]:
    for row in database.connection.execute("PRAGMA integrity_check(20)"):
        if row[0] != "ok":
            yield StoreFinding("", "database", f"the file is damaged: {row[0]}", _REBUILD)
    for row in database.connection.execute("PRAGMA foreign_key_check"):
        yield StoreFinding("", "database", f"a row of {row[0]} refers to a missing row of {row[2]}", _REBUILD)


def _schema(database: Database) -> Iterator[StoreFinding]:
    fresh = Database.memory()
    try:
        wanted = _objects(fresh)
    finally:
        fresh.close()
    actual = _objects(database)
    for (kind, name), (table, sql) in wanted.items():
        if (kind, name) not in actual:
            yield StoreFinding("", "schema", f"{kind} {name} on {table} is missing", _REBUILD)
        elif actual[kind, name][1] != sql:
            yield StoreFinding("", "schema", f"{kind} {name} was changed", _REBUILD)
    tables = {name for kind, name in wanted if kind == "table"}
    for (kind, name), (table, sql) in actual.items():
        # Triggers and unique indexes can change or refuse what promptbench writes; other additions only read.
        writes = kind == "trigger" or (kind == "index" and "UNIQUE" in sql.upper())
        if writes and table in tables and (kind, name) not in wanted:
            yield StoreFinding("", "schema", f"{kind} {name} on {table} is not promptbench's", _REBUILD)


def _objects(database: Database) -> dict[tuple[str, str], tuple[str, str]]:
    rows = database.connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql NOTNULL")
    return {(row[0], row[1]): (row[2], row[3]) for row in rows if not row[2].startswith(("sqlite_", "_sqlite_"))}


def _counts(database: Database) -> Iterator[StoreFinding]:
    written, present = database.counts()
    if written and written != present:
        done = "removed" if written > present else "added"
        what = f"{written} events were written and {present} are there: another program {done} some"
        yield StoreFinding("", "chain", what, _REBUILD)


def _hashes(database: Database) -> Iterator[StoreFinding]:
    for table, column, kind, name in (
        ("blob", "text", "version", "text"),
        ("evidence", "body", "evidence", "evidence"),
    ):
        for tagged, text in database.connection.execute(f"SELECT hash, {column} FROM {table}"):
            if digest_text(text) != tagged:
                yield StoreFinding(
                    "", kind, f"the {name} {short(tagged)} in the database does not match its hash", _REBUILD
                )


def _history(sync: Sync, prompt: str) -> Iterator[StoreFinding]:
    database = sync.database
    events = database.events(prompt)
    ledger = Ledger(prompt)
    for event in events:
        try:
            ledger.add(event)
        except ValueError as error:
            yield StoreFinding(prompt, "chain", f"event {event.sequence} ({event.kind}): {error}", _REBUILD)
            break
    else:
        yield from _outcome(database, ledger)
    yield from _versions(sync, prompt, events)
    for event in events:
        if event.hash in ledger.champions and (why := _proof(sync, event, ledger)):
            yield StoreFinding(prompt, "evidence", f"event {event.sequence} ({event.kind}): {why}", _REBUILD)


def _outcome(database: Database, ledger: Ledger) -> Iterator[StoreFinding]:
    # The version rows and the label view are derived from the events.
    if database.hashes(ledger.prompt) != ledger.numbers:
        yield StoreFinding(ledger.prompt, "version", "its versions do not match its events", _REBUILD)
    try:
        labels = database.labels(ledger.prompt)
    except sqlite3.OperationalError:
        return
    if labels != ledger.labels:
        what = f"the view has {_listed(ledger, labels)}, the events have {_listed(ledger, ledger.labels)}"
        yield StoreFinding(ledger.prompt, "label", what, _REBUILD)


def _listed(ledger: Ledger, labels: Mapping[str, str]) -> str:
    return ", ".join(f"{label} {ledger.name(version)}" for label, version in labels.items()) or "no label"


def _versions(sync: Sync, prompt: str, events: list[LabelEvent]) -> Iterator[StoreFinding]:
    created: dict[str | None, str] = {}
    for event in events:
        created.setdefault(event.to_hash, event.at)
    for known in sync.database.hashes(prompt):
        try:
            version = sync.database.version(prompt, known)
            tagged = sync.hash_of(version.source)[0]
        except (ValueError, InputError, ConflictError) as error:
            yield StoreFinding(prompt, "version", f"version {short(known)} is unreadable: {error}", _REBUILD)
            continue
        name = f"{prompt}@{version.number}"
        if tagged != version.hash:
            what = f"the text of {name} is {short(tagged)}, not {short(version.hash)}"
            yield StoreFinding(prompt, "version", what, _REBUILD)
        if version.created != created.get(version.hash, version.created):
            yield StoreFinding(prompt, "version", f"{name} was not created at {version.created}", _REBUILD)


def _proof(sync: Sync, event: LabelEvent, ledger: Ledger) -> str | None:
    tagged = str(event.evidence)
    try:
        evidence = sync.database.evidence(tagged)
    except (ValueError, ConflictError) as error:
        return f"its evidence is unreadable: {error}"
    if evidence is None:
        return f"its evidence {short(tagged)} is missing"
    why = objection(event, evidence, ledger, sync.rejudge)
    return f"its evidence does not prove it: {why}" if why else None


def _synchronized(sync: Sync, prompt: str) -> Iterator[StoreFinding]:
    # The prompt's rows are valid.
    try:
        try:
            # Under the write lock, so that nobody promotes meanwhile.
            with sync.database.transaction():
                with suppress(OSError):
                    sync.synchronize(prompt)
                found = list(_files(sync, prompt, _RESTORE))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _REFUSED:
                raise
            # A read-only location.
            sync.refresh(prompt)
            found = list(_files(sync, prompt, _RESTORE))
        yield from found
    except ConflictError as error:
        hint = error.hint or ""
        if not list(_rebuilt(sync, prompt)):
            hint += f"; if nobody worked on another branch, somebody rewrote the database: {_REBUILD}"
        yield StoreFinding(prompt, "conflict", error.message.removeprefix(f"{prompt}: "), hint)


def _rebuilt(sync: Sync, prompt: str) -> Iterator[StoreFinding]:
    """Yield the problems of a prompt's files if the database is rebuilt from them."""
    memory = Database.memory()
    try:
        trial = Sync(memory, sync.mirror, sync.hash_of, sync.rejudge)
        try:
            trial.synchronize(prompt)
        except ConflictError as error:
            yield StoreFinding(prompt, "mirror", error.message, _ONLY_GIT)
            return
        yield from _files(trial, prompt, _ONLY_GIT)
    finally:
        memory.close()


def _files(sync: Sync, prompt: str, restore: str) -> Iterator[StoreFinding]:
    database, mirror = sync.database, sync.mirror
    # Every file that the prompt should have, with the reader that raises if it is missing or edited.
    readers: dict[Path, Callable[[], object]] = {}
    for tagged, number in database.hashes(prompt).items():
        path = mirror.version_path(prompt, number, tagged)
        readers[path] = partial(sync.check_version, prompt, tagged)
    for event in database.events(prompt):
        readers[mirror.event_path(prompt, event.file_name)] = partial(mirror.read_event, prompt, event.file_name)
        if event.evidence:
            path = mirror.evidence_path(prompt, event.evidence)
            readers[path] = partial(mirror.read_evidence, prompt, event.evidence)
    for read in readers.values():
        try:
            read()
        except ConflictError as error:
            yield StoreFinding(prompt, "mirror", error.message, restore)
    for path in sync.mirror.files(prompt):
        if path not in readers:
            yield StoreFinding(prompt, "mirror", f"{path} is not part of the history", _UNKNOWN_FILE)


def _unknown_files(mirror: Mirror) -> Iterator[StoreFinding]:
    known = set(mirror.prompts())
    if not mirror.folder.is_dir():
        return
    for path in sorted(mirror.folder.iterdir()):
        if path.name not in known and not path.name.startswith(".") and (path.is_dir() or is_prompt_name(path.name)):
            yield StoreFinding("", "mirror", f"{path} is not part of any prompt's history", _UNKNOWN_FILE)
