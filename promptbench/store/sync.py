"""Keeps the database and its text mirror level, one prompt at a time.

Only the names of event files are compared, because each holds its event's hash, and the hash stands for all before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from itertools import pairwise

from promptbench.core.canonical import canonical, short
from promptbench.core.errors import ConflictError, InputError
from promptbench.core.types import Json
from promptbench.store.chain import Event, Ledger, Version
from promptbench.store.database import Database
from promptbench.store.merge import Fork, fork_of
from promptbench.store.mirror import Mirror, edited
from promptbench.store.proof import Proof

HashOf = Callable[[str], tuple[str, Json]]
"""Takes a prompt's source text, gives its version hash and canonical content; raises ValueError or InputError."""


TAMPERED = "`promptbench store verify` shows where; move prompts.sqlite away to rebuild it from the text mirror"


class Standing(Enum):
    LEVEL = auto()
    MIRROR_AHEAD = auto()
    DATABASE_AHEAD = auto()
    MIRROR_MERGED = auto()
    """The mirror has all that the database has, in another order: a merge that was made elsewhere."""
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
        whole = [_sequence(name) for name in theirs] == list(range(1, len(theirs) + 1))
        if whole and theirs[: len(ours)] == ours:
            return Standing.MIRROR_AHEAD
        if whole and ours[: len(theirs)] == theirs:
            return Standing.DATABASE_AHEAD
        return self._after_merge(prompt, ours, theirs, whole=whole)

    def _after_merge(self, prompt: str, ours: list[str], theirs: list[str], *, whole: bool) -> Standing:
        """Whether one side is what a merge made of the other, where it is not its continuation."""
        merged = self.database.merged_names(prompt)
        if not merged.isdisjoint(theirs) and merged.union(ours).issuperset(theirs):
            # The mirror's files are rewritten yet, and what was merged goes last.
            return Standing.DATABASE_AHEAD
        if whole and any("-merged-" in name for name in theirs):
            try:
                ledger = Ledger(prompt, [self.mirror.read_event(prompt, name) for name in theirs])
            except (ConflictError, ValueError):
                return Standing.APART
            if ledger.known.issuperset(event.hash for event in self.database.events(prompt)):
                return Standing.MIRROR_MERGED
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
            self._check_counts()
            written = set(self.mirror.event_names(prompt))
            for event in events:
                if event.file_name not in written:
                    self._export(event)
            if merged := self.database.merged_names(prompt) & written:
                self.mirror.drop(prompt, merged, self.database.hashes(prompt))
        elif standing is Standing.MIRROR_MERGED:
            self.database.make_room(prompt)
            self._import(prompt)
        elif standing is Standing.APART:
            raise self._apart(prompt)

    def _check_counts(self) -> None:
        written, present = self.database.counts()
        if written and present > written:
            raise ConflictError(
                f"the database holds {present} events, {written} of them written by promptbench: "
                "another program added the rest",
                hint=TAMPERED,
            )

    def check(self, prompt: str) -> None:
        """For a caller who holds the write lock on a level prompt: nobody writes on top of an edited mirror.

        Raises:
            ConflictError: a version's or an event's file was edited. A version's file that is gone is written again.
        """
        for version in self.database.versions(prompt):
            self.mirror.write_version(version)
        for name in self.mirror.event_names(prompt):
            self.mirror.read_event(prompt, name)

    def fork(self, prompt: str) -> Fork | None:
        """The branches that are in database and mirror together; None when there is but one.

        Raises ConflictError when a file was edited, or an event is missing.
        """
        written = [self.mirror.read_event(prompt, name) for name in self.mirror.event_names(prompt)]
        return fork_of(prompt, self.database.events(prompt), written)

    def replace(self, fork: Fork, events: list[Event]) -> None:
        """Puts the events in the place of what the database has of the prompt, for a caller who holds the write lock.

        Raises ConflictError, and changes nothing, when a text or an evidence of a branch is missing or was edited.
        """
        prompt = fork.prompt
        ledger = ledger_of(prompt, events)
        known = self.database.hashes(prompt)
        versions = []
        for tagged, number in ledger.numbers.items():
            created = next(event.at for event in events if event.to_hash == tagged)
            version = self.database.version(prompt, tagged) if tagged in known else self._written(tagged, events)
            versions.append(replace(version, number=number, created=created))
        proofs = {}
        for event in events:
            if event.evidence and event.evidence not in proofs:
                found = self.database.evidence(event.evidence)
                proofs[event.evidence] = self.mirror.read_evidence(prompt, event.evidence) if found is None else found
        self.database.make_room(prompt)
        for version in versions:
            self.database.add_version(version)
        for tagged, body in proofs.items():
            self.database.add_evidence(tagged, canonical(body))
        for event in events:
            self.database.add_event(event)

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
            claim = event.origin
            if claim.kind in ("initial", "promoted"):
                objection = Proof.read(evidence).objection(prompt, claim.to_hash, ledger.champions[event.hash])
                if objection:
                    raise ValueError(f"its evidence proves something else: {objection}")
        except ValueError as error:
            raise ConflictError(
                f"{path} does not fit into the history of {prompt}: {error}",
                hint="restore the prompt's folder with git, or keep one branch's event files where two were merged",
            ) from error
        return event, version, evidence

    def _written(self, tagged: str, events: list[Event]) -> Version:
        """A version from the mirror, where the branches may have numbered it differently."""
        claims = [inner for event in events for inner in event.within() if inner.to_hash == tagged]
        paths = (self.mirror.version_path(claim.prompt, claim.to_number or 0, tagged) for claim in claims)
        found = next((claim for claim, path in zip(claims, paths, strict=True) if path.exists()), claims[0])
        return self._version(found)

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
        merge = (
            f"`promptbench store merge {prompt}` joins them: it loses nothing, and asks which version keeps the label"
        )
        forked = [name for name, after in pairwise(names) if _sequence(name) == _sequence(after)]
        if forked:
            heads = " and ".join(self._head(prompt, name) for name in names if _sequence(name) == _sequence(forked[0]))
            return ConflictError(f"{prompt}: two branches changed it at the same time: {heads}", hint=merge)
        ours = self.database.event_names(prompt)
        missing = next((n for n, name in enumerate(names, start=1) if _sequence(name) != n), None)
        if missing is not None and (fork := self._fork_in_order(prompt)):
            heads = " and ".join(self._head(prompt, branch.head.file_name) for branch in fork.branches)
            return ConflictError(f"{prompt}: two branches changed it at the same time: {heads}", hint=merge)
        if missing is not None:
            others = f", or delete {folder}: the database holds all of it and writes it again"
            return ConflictError(
                f"{prompt}: event {missing} is missing from {folder}",
                hint="restore its file with git" + (others if set(names) <= set(ours) else ""),
            )
        common = next(n for n, pair in enumerate(zip(ours, names, strict=False)) if pair[0] != pair[1])
        return ConflictError(
            f"{prompt}: the database and its text mirror went separate ways after event {common}: "
            f"the database is at {shown(ours[-1])}, the mirror at {shown(names[-1])}",
            hint=merge,
        )

    def _head(self, prompt: str, name: str) -> str:
        try:
            event = self.mirror.read_event(prompt, name)
        except ConflictError:
            return shown(name)
        return f"{shown(name)} by {event.actor}"

    def _fork_in_order(self, prompt: str) -> Fork | None:
        try:
            return self.fork(prompt)
        except ConflictError:
            return None


def _sequence(name: str) -> int:
    return int(name.partition("-")[0])


def shown(name: str) -> str:
    """An event's file as people are told it, with the first digits of its hash."""
    front, _, tagged = name.rpartition("-")
    return f"{front}-{tagged[:8]}"


def ledger_of(prompt: str, events: list[Event]) -> Ledger:
    """Raises ConflictError when the database's own events are not in order."""
    try:
        return Ledger(prompt, events)
    except ValueError as error:
        raise ConflictError(
            f"{prompt}: its history in the database was tampered with: {error}",
            hint=TAMPERED,
        ) from error
