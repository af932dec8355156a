"""Keep the database and its text mirror in sync, one prompt at a time.

Only the names of event files are compared, because each holds its event's hash, and the hash stands for all before it.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto
from itertools import pairwise
from pathlib import Path

from promptbench.core.canonical import canonical, short
from promptbench.core.errors import ConflictError, InputError
from promptbench.core.types import Json
from promptbench.store.chain import LabelEvent, Ledger, Version, ledger_of
from promptbench.store.database import Database
from promptbench.store.merge import Fork, fork_of
from promptbench.store.mirror import Mirror, edited
from promptbench.store.proof import Rejudge, objection

# Takes a prompt's source text, returns its version hash and canonical content; raises ValueError or InputError.
HashOf = Callable[[str], tuple[str, Json]]


class SyncState(Enum):
    """How the database and the mirror relate for one prompt."""

    IN_SYNC = auto()
    MIRROR_AHEAD = auto()
    DATABASE_AHEAD = auto()
    # The mirror has all of the database's events in another order, because of a merge on another machine.
    MIRROR_MERGED = auto()
    DIVERGED = auto()


class Sync:
    """The database and the mirror of one store."""

    def __init__(self, database: Database, mirror: Mirror, hash_of: HashOf, rejudge: Rejudge) -> None:
        self.database = database
        self.mirror = mirror
        self.hash_of = hash_of
        self.rejudge = rejudge

    def state(self, prompt: str) -> SyncState:
        """Compare the event names of both sides."""
        ours = self.database.event_names(prompt)
        theirs = self.mirror.event_names(prompt)
        if ours == theirs:
            return SyncState.IN_SYNC
        complete = [_sequence(name) for name in theirs] == list(range(1, len(theirs) + 1))
        if complete and theirs[: len(ours)] == ours:
            return SyncState.MIRROR_AHEAD
        if complete and ours[: len(theirs)] == theirs:
            return SyncState.DATABASE_AHEAD
        return self._after_merge(prompt, ours, theirs, complete=complete)

    def _after_merge(self, prompt: str, ours: list[str], theirs: list[str], *, complete: bool) -> SyncState:
        # Neither side continues the other, but one may be the result of a merge of the other.
        merged = self.database.merged_names(prompt)
        if not merged.isdisjoint(theirs) and merged.union(ours).issuperset(theirs):
            # A rewrite of the mirror was interrupted: it removes merged files last.
            return SyncState.DATABASE_AHEAD
        if complete and any("-merged-" in name for name in theirs):
            try:
                ledger = Ledger(prompt, [self.mirror.read_event(prompt, name) for name in theirs])
            except (ConflictError, ValueError):
                return SyncState.DIVERGED
            if ledger.known.issuperset(event.hash for event in self.database.events(prompt)):
                return SyncState.MIRROR_MERGED
        return SyncState.DIVERGED

    def refresh(self, prompt: str) -> None:
        """Synchronize both sides before a read. Take the write lock only if they differ.

        Raises:
            ConflictError: they have diverged, or a mirror file that must be read was edited.
        """
        state = self.state(prompt)
        if state is SyncState.IN_SYNC:
            return
        try:
            with self.database.transaction():
                self.synchronize(prompt)
        except (sqlite3.OperationalError, OSError):
            if state is SyncState.DIVERGED:
                raise self._diverged(prompt) from None
            # The database has everything, so a read-only location can still be read.
            if state is not SyncState.DATABASE_AHEAD:
                raise

    def synchronize(self, prompt: str) -> None:
        """Synchronize both sides. The caller holds the write lock, so no other process is half-way through a write.

        Raises ConflictError as `refresh` does.
        """
        state = self.state(prompt)
        if state is SyncState.MIRROR_AHEAD:
            self._import(prompt)
        elif state is SyncState.DATABASE_AHEAD:
            events = self.database.events(prompt)
            # Rows that somebody added to the database must not spread to the mirror.
            ledger_of(prompt, events)
            self.database.check_counts()
            written = set(self.mirror.event_names(prompt))
            for event in events:
                if event.file_name not in written:
                    version = self.database.version(prompt, event.to_hash) if event.to_hash else None
                    evidence = self.database.evidence(event.evidence) if event.evidence else None
                    self.mirror.write(event, version, evidence)
            if merged := self.database.merged_names(prompt) & written:
                self.mirror.drop(prompt, merged, self.database.hashes(prompt))
        elif state is SyncState.MIRROR_MERGED:
            self.database.make_room(prompt)
            self._import(prompt)
        elif state is SyncState.DIVERGED:
            raise self._diverged(prompt)

    def check(self, prompt: str) -> None:
        """Check the mirror's files before a write, and rewrite missing version files. The caller holds the write lock.

        Raises:
            ConflictError: a version's or an event's file was edited.
        """
        for tagged in self.database.hashes(prompt):
            self.mirror.write_version(self.database.version(prompt, tagged))
        for name in self.mirror.event_names(prompt):
            self.mirror.read_event(prompt, name)

    def check_version(self, prompt: str, tagged: str) -> None:
        """Raise ConflictError if a version's row or file was edited."""
        self.mirror.check_version(self.database.version(prompt, tagged))

    def fork(self, prompt: str) -> Fork | None:
        """Return the branches in database and mirror together; None if there is only one.

        Raises:
            ConflictError: a file was edited, or an event is missing.
        """
        written = [self.mirror.read_event(prompt, name) for name in self.mirror.event_names(prompt)]
        return fork_of(prompt, self.database.events(prompt), written)

    def replace(self, fork: Fork, events: list[LabelEvent]) -> None:
        """Replace the database's events of a prompt. The caller holds the write lock.

        Raises:
            ConflictError: a text or evidence of a branch is missing or was edited; nothing was changed.
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
                if found is None:
                    found = self.mirror.read_evidence(prompt, event.evidence)
                    if why := objection(event, found, ledger, self.rejudge):
                        raise _misfit(self.mirror.evidence_path(prompt, event.evidence), prompt, why)
                proofs[event.evidence] = found
        self.database.make_room(prompt)
        for version in versions:
            self.database.add_version(version)
        for tagged, body in proofs.items():
            self.database.add_evidence(tagged, canonical(body))
        for event in events:
            self.database.add_event(event)

    def build(self) -> None:
        """Fill a new database. Skip prompts with an invalid mirror: the error is raised when they are read."""
        for prompt in self.mirror.prompts():
            try:
                self._import(prompt)
            except ConflictError:
                continue

    def _import(self, prompt: str) -> None:
        known = self.database.events(prompt)
        names = self.mirror.event_names(prompt)[len(known) :]
        # Everything is checked before the first row is added, because `build` continues after an error.
        ledger = ledger_of(prompt, known)
        additions = [self._addition(ledger, name) for name in names]
        for event, version, evidence in additions:
            if version is not None:
                self.database.add_version(version)
            if event.evidence is not None:
                self.database.add_evidence(event.evidence, canonical(evidence))
            self.database.add_event(event)

    def _addition(self, ledger: Ledger, name: str) -> tuple[LabelEvent, Version | None, Json]:
        prompt = ledger.prompt
        path = self.mirror.event_path(prompt, name)
        event = self.mirror.read_event(prompt, name)
        known = ledger.numbers
        try:
            version = self._version(event) if event.to_hash and event.to_hash not in known else None
            ledger.add(event)
            evidence = self.mirror.read_evidence(prompt, event.evidence) if event.evidence else None
            if why := objection(event, evidence, ledger, self.rejudge):
                raise ValueError(f"its evidence does not prove it: {why}")
        except ValueError as error:
            raise _misfit(path, prompt, str(error)) from error
        return event, version, evidence

    def _written(self, tagged: str, events: list[LabelEvent]) -> Version:
        # The branches may have numbered the version differently.
        claims = [inner for event in events for inner in event.within() if inner.to_hash == tagged]
        paths = (self.mirror.version_path(claim.prompt, claim.to_number or 0, tagged) for claim in claims)
        found = next((claim for claim, path in zip(claims, paths, strict=True) if path.exists()), claims[0])
        return self._version(found)

    def _version(self, event: LabelEvent) -> Version:
        if event.to_hash is None or event.to_number is None:
            raise ValueError("it names no version")
        source = self.mirror.read_version(event.prompt, event.to_number, event.to_hash)
        path = self.mirror.version_path(event.prompt, event.to_number, event.to_hash)
        try:
            tagged, content = self.hash_of(source)
        except (ValueError, InputError) as error:
            raise edited(path, f"invalid prompt: {error}") from error
        if tagged != event.to_hash:
            raise edited(path, f"expected version {short(event.to_hash)}, got {short(tagged)}")
        return Version(event.prompt, event.to_number, tagged, source, content, event.at)

    def _diverged(self, prompt: str) -> ConflictError:
        names = self.mirror.event_names(prompt)
        folder = self.mirror.folder / prompt / "events"
        merge = f"`promptbench store merge {prompt}` joins them: nothing is lost, you choose the version of each label"
        forked = [name for name, after in pairwise(names) if _sequence(name) == _sequence(after)]
        if forked:
            heads = " and ".join(self._head(prompt, name) for name in names if _sequence(name) == _sequence(forked[0]))
            return ConflictError(f"{prompt}: two branches changed it at the same time: {heads}", hint=merge)
        ours = self.database.event_names(prompt)
        missing = next((n for n, name in enumerate(names, start=1) if _sequence(name) != n), None)
        if missing is not None:
            with suppress(ConflictError):
                if fork := self.fork(prompt):
                    heads = " and ".join(self._head(prompt, branch.head.file_name) for branch in fork.branches)
                    return ConflictError(f"{prompt}: two branches changed it at the same time: {heads}", hint=merge)
            others = f", or delete {folder}: the database rewrites all of it"
            return ConflictError(
                f"{prompt}: event {missing} is missing from {folder}",
                hint="restore its file with git" + (others if set(names) <= set(ours) else ""),
            )
        common = next(n for n, pair in enumerate(zip(ours, names, strict=False)) if pair[0] != pair[1])
        return ConflictError(
            f"{prompt}: the database and its text mirror have diverged after event {common}: "
            f"the database is at {shown(ours[-1])}, the mirror at {shown(names[-1])}",
            hint=merge,
        )

    def _head(self, prompt: str, name: str) -> str:
        try:
            event = self.mirror.read_event(prompt, name)
        except ConflictError:
            return shown(name)
        return f"{shown(name)} by {event.actor}"


def _misfit(path: Path, prompt: str, why: str) -> ConflictError:
    return ConflictError(
        f"{path} does not fit into the history of {prompt}: {why}",
        hint="restore the prompt's folder with git, or keep one branch's event files where two were merged",
    )


def _sequence(name: str) -> int:
    return int(name.partition("-")[0])


def shown(name: str) -> str:
    """Return an event's file name as messages show it, with the first digits of its hash."""
    front, _, tagged = name.rpartition("-")
    return f"{front}-{tagged[:8]}"
