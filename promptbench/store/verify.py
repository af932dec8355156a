"""Looks for everything in a prompt store that is not as the tool wrote it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from promptbench.core.canonical import digest_text, short
from promptbench.core.errors import ConflictError, InputError
from promptbench.store.chain import Event, Ledger
from promptbench.store.database import Database
from promptbench.store.mirror import Mirror
from promptbench.store.names import is_prompt_name
from promptbench.store.proof import Proof
from promptbench.store.sync import Standing, Sync, shown

_REBUILD = "move prompts.sqlite away and run any command: it is rebuilt from the text mirror"
_MIRROR_FIRST = f"mend the text mirror first, as said of its files; then {_REBUILD}"
_RESTORE = "restore it with git; without git, delete the prompt's folder: it is written again from the database"
_ONLY_GIT = "restore it with git: the database beside it is not in order either"
_STRANGER = "delete it, or restore with git what belongs to it"
_REFUSED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


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
    """Checks the database as it is, then levels every prompt with its mirror and checks the files.

    Every hint mends what it stands by: where database and mirror are both not in order, it says which comes first.
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
        unsound = {finding.prompt for finding in inside if finding.kind != "schema" or not readable}
        files: list[Finding] = []
        for prompt in sorted({*prompts, *mirror.prompts()}):
            files += _alone(sync, prompt) if {"", prompt} & unsound else _beside(sync, prompt)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        inside, files = [Finding("", "database", f"the file is damaged: {error}", _REBUILD)], []
        for prompt in mirror.prompts():
            files += _alone(sync, prompt)
    files += _strangers(mirror)
    if any(finding.hint != _STRANGER for finding in files):
        inside = [replace(finding, hint=_MIRROR_FIRST) for finding in inside]
    return inside + files


def notes(sync: Sync) -> list[str]:
    """Where database and mirror are not level, and what the next look at it makes of that. Nothing is changed."""
    told = []
    for prompt in sorted({*sync.database.prompts(), *sync.mirror.prompts()}):
        standing = sync.standing(prompt)
        ours, theirs = sync.database.event_names(prompt), sync.mirror.event_names(prompt)
        if standing is Standing.MIRROR_AHEAD:
            new = ", ".join(map(shown, theirs[len(ours) :][:3]))
            told.append(f"{prompt}: taken from the text mirror, as after a `git pull`: {new}")
        elif standing is Standing.DATABASE_AHEAD:
            new = ", ".join([shown(name) for name in ours if name not in theirs][:3])
            told.append(f"{prompt}: written to the text mirror, where it was missing: {new}")
    return told


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
    for (kind, name), (table, sql) in actual.items():
        # What only reads is welcome; these two can change or refuse what promptbench writes.
        meddles = kind == "trigger" or (kind == "index" and "UNIQUE" in sql.upper())
        if meddles and table in tables and (kind, name) not in wanted:
            yield Finding("", "schema", f"{kind} {name} on {table} is not promptbench's", _REBUILD)


def _objects(database: Database) -> dict[tuple[str, str], tuple[str, str]]:
    rows = database.connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql NOTNULL")
    return {(row[0], row[1]): (row[2], row[3]) for row in rows if not row[2].startswith(("sqlite_", "_sqlite_"))}


def _counts(database: Database) -> Iterator[Finding]:
    written, present = database.counts()
    if written and written != present:
        done = "removed" if written > present else "added"
        what = f"{written} events were written and {present} are there: another program {done} some"
        yield Finding("", "chain", what, _REBUILD)


def _hashes(database: Database) -> Iterator[Finding]:
    for table, column, kind, name in (
        ("blob", "text", "version", "text"),
        ("evidence", "body", "evidence", "evidence"),
    ):
        for tagged, text in database.connection.execute(f"SELECT hash, {column} FROM {table}"):
            if digest_text(text) != tagged:
                yield Finding("", kind, f"the {name} {short(tagged)} in the database does not have that hash", _REBUILD)


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
        if objection := _proof(database, event, ledger.champions.get(event.hash, ())):
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
        what = f"the view says {_told(ledger, labels)}, the events say {_told(ledger, ledger.labels)}"
        yield Finding(ledger.prompt, "label", what, _REBUILD)


def _told(ledger: Ledger, labels: Mapping[str, str]) -> str:
    return ", ".join(f"{label} {ledger.name(version)}" for label, version in labels.items()) or "no label"


def _versions(sync: Sync, prompt: str, events: list[Event]) -> Iterator[Finding]:
    created: dict[str | None, str] = {}
    for event in events:
        created.setdefault(event.to_hash, event.at)
    for known in sync.database.hashes(prompt):
        try:
            version = sync.database.version(prompt, known)
            tagged = sync.hash_of(version.source)[0]
        except (ValueError, InputError, ConflictError) as error:
            yield Finding(prompt, "version", f"version {short(known)} cannot be read: {error}", _REBUILD)
            continue
        name = f"{prompt}@{version.number}"
        if tagged != version.hash:
            what = f"the text of {name} is {short(tagged)}, not {short(version.hash)}"
            yield Finding(prompt, "version", what, _REBUILD)
        if version.created != created.get(version.hash, version.created):
            yield Finding(prompt, "version", f"{name} was not created at {version.created}", _REBUILD)


def _proof(database: Database, event: Event, champions: Sequence[str | None]) -> str | None:
    if event.evidence is None:
        return None
    try:
        evidence = database.evidence(event.evidence)
        if evidence is None:
            return f"its evidence {short(event.evidence)} is missing"
        claim = event.origin
        if claim.kind == "forced":
            return None
        objection = Proof.read(evidence).objection(claim.prompt, claim.to_hash, champions)
    except (ValueError, ConflictError) as error:
        return f"its evidence is not readable: {error}"
    return f"its evidence proves something else: {objection}" if objection else None


def _beside(sync: Sync, prompt: str) -> Iterator[Finding]:
    """What is wrong with the files of a prompt whose rows are in order."""
    try:
        with _still(sync.database) as locked:
            if locked:
                with suppress(OSError):
                    sync.level(prompt)
            else:
                sync.read(prompt)
            yield from _files(sync, prompt, _RESTORE)
    except ConflictError as error:
        hint = error.hint or ""
        if not list(_alone(sync, prompt)):
            hint += f"; if nobody worked on another branch, somebody rewrote the database: {_REBUILD}"
        yield Finding(prompt, "conflict", error.message.removeprefix(f"{prompt}: "), hint)


@contextmanager
def _still(database: Database) -> Iterator[bool]:
    """Nobody promotes meanwhile; where nothing can be written, nobody here does anyway, and it gives False."""
    with ExitStack() as stack:
        try:
            stack.enter_context(database.transaction())
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _REFUSED:
                raise
            yield False
            return
        yield True


def _alone(sync: Sync, prompt: str) -> Iterator[Finding]:
    """What is wrong with the files of a prompt if the database is to be rebuilt from them."""
    memory = Database.memory()
    try:
        trial = Sync(memory, sync.mirror, sync.hash_of)
        try:
            trial.level(prompt)
        except ConflictError as error:
            yield Finding(prompt, "mirror", error.message, _ONLY_GIT)
            return
        yield from _files(trial, prompt, _ONLY_GIT)
    finally:
        memory.close()


def _files(sync: Sync, prompt: str, restore: str) -> Iterator[Finding]:
    readers = _readers(sync, prompt)
    for read in readers.values():
        try:
            read()
        except ConflictError as error:
            yield Finding(prompt, "mirror", error.message, restore)
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
