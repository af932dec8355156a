"""Keeps the database and its text mirror level, one prompt at a time.

Only the names of event files are compared, because each holds its event's hash, and the hash stands for all before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from enum import Enum, auto
from itertools import pairwise

from promptbench.core.canonical import canonical, short
from promptbench.core.errors import ConflictError, InputError
from promptbench.core.types import Json
from promptbench.store.chain import Event, Ledger, Version
from promptbench.store.database import FILE_NAME, Database
from promptbench.store.mirror import Mirror, edited
from promptbench.store.proof import Proof

HashOf = Callable[[str], tuple[str, Json]]
"""Takes a prompt's source text, gives its version hash and canonical content; raises ValueError or InputError."""


class Standing(Enum):
    LEVEL = auto()
    MIRROR_AHEAD = auto()
    DATABASE_AHEAD = auto()
    APART = auto()


class Sync:
    def __init__(self, database: Database, mirror: Mirror, hash_of: HashOf) -> None:
        self.database = database
        self.mirror = mirror
        self.hash_of = hash_of

    def standing(self, prompt: str) -> Standing:
        ours = self.database.event_names(prompt)
        theirs = self.mirror.event_names(prompt)
        if ours == theirs:
            return Standing.LEVEL
        if [_sequence(name) for name in theirs] != list(range(1, len(theirs) + 1)):
            return Standing.APART
        if theirs[: len(ours)] == ours:
            return Standing.MIRROR_AHEAD
        if ours[: len(theirs)] == theirs:
            return Standing.DATABASE_AHEAD
        return Standing.APART

    def read(self, prompt: str) -> None:
        """Levels both sides before a read. Takes the write lock only when they differ.

        Raises:
            ConflictError: they went separate ways, or a mirror file that must be read was edited.
        """
        standing = self.standing(prompt)
        if standing is Standing.LEVEL:
            return
        try:
            with self.database.transaction():
                self.level(prompt)
        except (sqlite3.OperationalError, OSError):
            if standing is Standing.APART:
                raise self._apart(prompt) from None
            # The database has it all: a place that cannot be written is still good to read from.
            if standing is not Standing.DATABASE_AHEAD:
                raise

    def level(self, prompt: str) -> None:
        """The same for a caller who holds the write lock, so that what looks like a gap is not just being written."""
        standing = self.standing(prompt)
        if standing is Standing.MIRROR_AHEAD:
            self._import(prompt)
        elif standing is Standing.DATABASE_AHEAD:
            events = self.database.events(prompt)
            # What somebody added to the database by hand must not spread.
            ledger_of(prompt, events)
            for event in events[len(self.mirror.event_names(prompt)) :]:
                self._export(event)
        elif standing is Standing.APART:
            raise self._apart(prompt)

    def check(self, prompt: str) -> None:
        """For a caller who holds the write lock on a level prompt: nobody writes on top of an edited mirror.

        Raises:
            ConflictError: a version's or an event's file was edited. A version's file that is gone is written again.
        """
        for version in self.database.versions(prompt):
            self.mirror.write_version(version)
        for name in self.mirror.event_names(prompt):
            self.mirror.read_event(prompt, name)

    def build(self) -> None:
        """Fills a new database. A prompt whose mirror is not in order is left out: it says so when it is asked for."""
        for prompt in self.mirror.prompts():
            try:
                self._import(prompt)
            except ConflictError:
                continue

    def _export(self, event: Event) -> None:
        version = self.database.version(event.prompt, event.to_hash) if event.to_hash else None
        evidence = self.database.evidence(event.evidence) if event.evidence else None
        self.mirror.write(event, version, evidence)

    def _import(self, prompt: str) -> None:
        known = self.database.events(prompt)
        names = self.mirror.event_names(prompt)[len(known) :]
        # All is read and checked before the first row is added: `build` goes on after an error.
        ledger = ledger_of(prompt, known)
        additions = [self._addition(ledger, name) for name in names]
        for event, version, evidence in additions:
            if version is not None:
                self.database.add_version(version)
            if event.evidence is not None:
                self.database.add_evidence(event.evidence, canonical(evidence))
            self.database.add_event(event)

    def _addition(self, ledger: Ledger, name: str) -> tuple[Event, Version | None, Json]:
        prompt = ledger.prompt
        path = self.mirror.event_path(prompt, name)
        event = self.mirror.read_event(prompt, name)
        known = ledger.numbers
        try:
            version = self._version(event) if event.to_hash and event.to_hash not in known else None
            ledger.add(event)
            evidence = self.mirror.read_evidence(prompt, event.evidence) if event.evidence else None
            if event.kind in ("initial", "promoted"):
                objection = Proof.read(evidence).objection(prompt, event.to_hash, event.from_hash)
                if objection:
                    raise ValueError(f"its evidence proves something else: {objection}")
        except ValueError as error:
            raise ConflictError(
                f"{path} does not fit into the history of {prompt}: {error}",
                hint="restore the prompt's folder with git, or keep one branch's event files where two were merged",
            ) from error
        return event, version, evidence

    def _version(self, event: Event) -> Version:
        if event.to_hash is None or event.to_number is None:
            raise ValueError("it names no version")
        source = self.mirror.read_version(event.prompt, event.to_number, event.to_hash)
        path = self.mirror.version_path(event.prompt, event.to_number, event.to_hash)
        try:
            tagged, content = self.hash_of(source)
        except (ValueError, InputError) as error:
            raise edited(path, f"it is no prompt any more: {error}") from error
        if tagged != event.to_hash:
            raise edited(path, f"it is now {short(tagged)}, the history says {short(event.to_hash)}")
        return Version(event.prompt, event.to_number, tagged, source, content, event.at)

    def _apart(self, prompt: str) -> ConflictError:
        names = self.mirror.event_names(prompt)
        folder = self.mirror.folder / prompt / "events"
        database = self.mirror.folder.parent / FILE_NAME
        by_hand = (
            f"`promptbench store merge {prompt}` joins them. By hand: keep one branch's files in {folder}, delete the "
            f"other's and {database}, then judge and promote the other branch's version again"
        )
        forked = [name for name, after in pairwise(names) if _sequence(name) == _sequence(after)]
        if forked:
            heads = " and ".join(name for name in names if _sequence(name) == _sequence(forked[0]))
            return ConflictError(f"{prompt}: two branches changed it at the same time: {heads}", hint=by_hand)
        ours = self.database.event_names(prompt)
        missing = next((n for n, name in enumerate(names, start=1) if _sequence(name) != n), None)
        if missing is not None:
            others = f", or delete {folder}: the database holds all of it and writes it again"
            return ConflictError(
                f"{prompt}: event {missing} is missing from {folder}",
                hint="restore its file with git" + (others if set(names) <= set(ours) else ""),
            )
        common = next(n for n, pair in enumerate(zip(ours, names, strict=False)) if pair[0] != pair[1])
        return ConflictError(
            f"{prompt}: the database and its text mirror went separate ways after event {common}: "
            f"the database is at {ours[-1]}, the mirror at {names[-1]}",
            hint=by_hand,
        )


def _sequence(name: str) -> int:
    return int(name.partition("-")[0])


def ledger_of(prompt: str, events: list[Event]) -> Ledger:
    """Raises ConflictError when the database's own events are not in order."""
    try:
        return Ledger(prompt, events)
    except ValueError as error:
        raise ConflictError(
            f"{prompt}: its history in the database was tampered with: {error}",
            hint="`promptbench store verify` shows where; move prompts.sqlite away to rebuild it from the text mirror",
        ) from error
