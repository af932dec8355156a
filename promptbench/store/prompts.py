"""The prompt store: which version of each prompt is in production, since when, and on what proof.

    with Store.open(root / "prompt_store", hash_of=hash_of, rejudge=rejudge) as store:
        store.get("triage@production").source

`prompts.sqlite` serves reads, the text mirror next to it is what people review and commit. Either can be lost: each
is rebuilt from the other.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from promptbench.core.canonical import digest_text, lf
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.types import Json
from promptbench.store.backup import BackupResult, backup
from promptbench.store.chain import LabelEvent, Ledger, Version, ledger_of
from promptbench.store.database import FILE_NAME, Database, storage_errors
from promptbench.store.merge import Fork, answered
from promptbench.store.mirror import Mirror
from promptbench.store.names import (
    PRODUCTION,
    check_label,
    check_prompt_name,
    is_prompt_name,
    select,
    selector_of,
    suggest,
)
from promptbench.store.proof import (
    AlreadyDone,
    NotProven,
    ProvenModel,
    Rejudge,
    check_champion,
    check_moves,
    check_proof,
    check_repeated,
    evidence_body,
    proof_of,
    proven_models,
)
from promptbench.store.sync import HashOf, Sync, SyncState
from promptbench.store.verify import StoreFinding, findings, notes

__all__ = ["AlreadyDone", "Fork", "HashOf", "LabelEvent", "NotProven", "Store", "StoreFinding", "Version"]

_HEX = re.compile(r"[0-9a-f]{6,64}")


class Store(AbstractContextManager["Store"]):
    """One prompt store, as a context manager. For one thread; any number of processes may have it open."""

    def __init__(
        self, folder: Path, *, hash_of: HashOf, rejudge: Rejudge, clock: Callable[[], datetime] | None, timeout: float
    ) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME
        self._mirror = Mirror(folder / "text")
        self._hash_of = hash_of
        self._rejudge = rejudge
        self._clock = clock or partial(datetime.now, UTC)
        self._timeout = timeout
        database = None
        if self._path.exists():
            database = self._file("rw")
        elif self._mirror.prompts():
            # A read-only checkout can still be read.
            with suppress(sqlite3.OperationalError, OSError):
                database = self._file("rwc")
        self._use(database or Database.memory())

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        hash_of: HashOf,
        rejudge: Rejudge,
        clock: Callable[[], datetime] | None = None,
        timeout: float = 30.0,
    ) -> Store:
        """Open `<root>/prompt_store`. If only the text mirror exists, build the database from it.

        Nothing is created for an empty store. A mirror in a read-only location is read into memory.

        Args:
            hash_of: takes a prompt's source text, returns its version hash (`core.canonical.digest` of the content) and
                its canonical content; raises ValueError or InputError if the text is not a prompt.
            rejudge: judges evidence again, as `gate.evidence.rejudge` does; called for all that the mirror brings.
            clock: returns the time, with a time zone; by default the present.
            timeout: seconds to wait for another process that writes.

        Raises:
            EnvironmentFailure: the file is damaged, locked, unreadable, or of another program or a newer promptbench.
        """
        with storage_errors(folder / FILE_NAME):
            return cls(folder, hash_of=hash_of, rejudge=rejudge, clock=clock, timeout=timeout)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __exit__(self, *error: object) -> None:
        self.close()

    def prompts(self) -> list[str]:
        """Return all prompts, in the database or only in the mirror."""
        with storage_errors(self._path):
            return sorted({*self._database.prompts(), *self._mirror.prompts()})

    def labels(self, prompt: str) -> dict[str, Version]:
        """Return, by label, the version that it points to."""
        with self._reading(prompt) as ledger:
            return {label: self._version(ledger, version) for label, version in sorted(ledger.labels.items())}

    def versions(self, prompt: str) -> list[Version]:
        """Return all versions, oldest first."""
        with self._reading(prompt) as ledger:
            return [self._version(ledger, version) for version in ledger.numbers]

    def history(self, prompt: str) -> list[LabelEvent]:
        """Return all events, oldest first."""
        with self._reading(prompt):
            return self._database.events(prompt)

    def get(self, reference: str) -> Version:
        """Return the version for a reference.

        `NAME` stands for `NAME@production`; after the `@` comes a label, a version number, `sha256:<digits>` or the
        digits alone, at least six of them.

        Raises:
            InputError: prompt, label or version not found, or several versions start with these digits.
            ConflictError: database and mirror disagree, or somebody edited them.
        """
        prompt, at, selector = reference.partition("@")
        with self._reading(prompt) as ledger:
            return self._served(ledger, selector if at else PRODUCTION)

    def fetch(self, reference: str) -> tuple[Version, str | None, tuple[ProvenModel, ...]]:
        """Return what `get` returns, the label if the reference names one, and the models that proved the version.

        A label that came to it by adoption or by force names no models.
        """
        prompt, at, selector = reference.partition("@")
        named = selector if at else PRODUCTION
        with self._reading(prompt) as ledger:
            version = self._served(ledger, named)
            label = named if named in ledger.labels else None
            proof = proof_of(self._database.events(prompt), version.hash, label)
            return version, label, proven_models(self._database.evidence(proof)) if proof else ()

    def evidence(self, sha: str) -> Json:
        """Return the evidence with this hash, with or without `sha256:`. Raise InputError if it is not found."""
        tagged = "sha256:" + sha.removeprefix("sha256:")
        with storage_errors(self._path):
            found = self._database.evidence(tagged)
            if found is None and _HEX.fullmatch(tagged.removeprefix("sha256:")):
                prompt = self._mirror.prompt_with_evidence(tagged)
                if prompt is not None:
                    self._sync.refresh(prompt)
                    found = self._database.evidence(tagged)
        if found is None:
            raise InputError(f"evidence {tagged} not found", hint="`promptbench prompts history PROMPT` lists it")
        return found

    def notes(self) -> list[str]:
        """Return what `verify` will import from the mirror or write to it, in words. Call it before `verify`."""
        with storage_errors(self._path):
            return notes(self._sync)

    def verify(self) -> list[StoreFinding]:
        """Return everything in database and mirror that is not as promptbench wrote it."""
        with storage_errors(self._path):
            return findings(self._sync)

    def backup(self, target: Path) -> BackupResult:
        """Copy the database to a new file; see `store.backup`."""
        with storage_errors(self._path):
            return backup(self._sync, target)

    def adopt(self, prompt: str, source: str, *, label: str = PRODUCTION, actor: str, reason: str) -> LabelEvent:
        """Set a label for the first time, to the prompt that is already in use, without a verdict.

        Raises:
            AlreadyDone: the label's last move is this one.
            InputError: the label is set, a name or the reason is invalid, or `source` is not a prompt.
        """
        reason = _reason(reason, "adopt")
        candidate = self._candidate(prompt, label, source)
        with self._change(prompt) as ledger:
            if candidate.hash == ledger.labels.get(label):
                check_repeated(ledger, "adopted", label, _text(actor), reason)
            if holder := ledger.labels.get(label):
                raise InputError(
                    f"{label} of {prompt} is already set, to {ledger.name(holder)}",
                    hint="`promptbench run --promote` proves and promotes another version",
                )
            return self._append(ledger, "adopted", label, candidate, actor=actor, reason=reason)

    def promote(
        self,
        prompt: str,
        source: str,
        *,
        label: str = PRODUCTION,
        evidence: Json,
        actor: str,
        reason: str | None = None,
        force: bool = False,
    ) -> LabelEvent:
        """Move a label to the version with the text `source`, on `evidence`.

        Args:
            evidence: a plain dict with at least `schema_version` 1, `prompt`, `candidate` and `champion` (version
                hashes; champion None for a first version) and `verdict` with `result` and `sentence`. With `force` it
                may be None.
            force: move the label whatever the verdict; needs a reason and stays visible as `forced`.

        Raises:
            AlreadyDone: the label points there already.
            InputError: an argument is invalid.
            NotProven: the verdict is not PASS.
            ConflictError: the evidence is stale: it judged another candidate, or production has changed since.
        """
        reason = _reason(reason, "promote --force") if force else _text(reason)
        candidate = self._candidate(prompt, label, source)
        body = None if evidence is None and force else evidence_body(evidence)
        with self._change(prompt) as ledger:
            check_moves(ledger, label, candidate.hash)
            kind = "forced"
            if not force:
                check_proof(ledger, evidence, label, candidate.hash)
                kind = "promoted" if PRODUCTION in ledger.labels else "initial"
            return self._append(ledger, kind, label, candidate, body=body, actor=actor, reason=reason)

    def check_not_stale(self, prompt: str, label: str, *, champion: str | None, candidate: str | None = None) -> None:
        """Raise what `promote` would for evidence that compared with `champion`, before a slower check.

        `candidate` is None while it is unknown.
        """
        check_prompt_name(prompt)
        with storage_errors(self._path):
            ledger = self._ledger(prompt)
        if candidate is not None:
            check_moves(ledger, label, candidate)
        check_champion(ledger, label, champion)

    def rollback(
        self, prompt: str, *, to: str | None = None, label: str = PRODUCTION, actor: str, reason: str
    ) -> LabelEvent:
        """Move a label back to a version that held it before: `to`, or the present holder's predecessor.

        `to` is what `get` takes after the `@`, or a whole reference. A second rollback without `to` goes further back,
        for another reason: with the same actor and reason it is the same command again.

        Raises:
            AlreadyDone: the label points to `to`, or the same rollback is its last move.
            InputError: an earlier version is missing, `to` never held the label, or the reason is missing.
        """
        reason = _reason(reason, "rollback")
        check_label(label)
        self._check_known(prompt)
        with self._change(prompt) as ledger:
            if to is None:
                check_repeated(ledger, "rolled_back", label, _text(actor), reason)
                target = ledger.previous(label)
            else:
                target = select(prompt, selector_of(prompt, to), ledger.labels, ledger.numbers)
                check_moves(ledger, label, target)
            if target is None:
                raise InputError(f"{label} of {prompt} has no earlier version to go back to")
            if target not in ledger.held.get(label, ()):
                held = ", ".join(
                    ledger.name(version) for version in ledger.numbers if version in ledger.held.get(label, ())
                )
                raise InputError(
                    f"{ledger.name(target)} was never {label}",
                    hint=f"choose one that was: {held}" if held else "no version ever was",
                )
            return self._append(ledger, "rolled_back", label, target, actor=actor, reason=reason)

    def label(self, reference: str, label: str, *, actor: str, reason: str) -> LabelEvent:
        """Point a label other than `production` to a stored version, without evidence.

        Raises:
            AlreadyDone: the label points there already.
            InputError: the label is `production`, or an argument is invalid.
        """
        reason = _reason(reason, "label")
        check_label(label)
        if label == PRODUCTION:
            raise InputError(
                f"{PRODUCTION} moves by evidence only",
                hint="`promptbench run --promote` proves a version, `promptbench rollback` goes back to an earlier one",
            )
        target = self.get(reference)
        with self._change(target.prompt) as ledger:
            check_moves(ledger, label, target.hash)
            return self._append(ledger, "labelled", label, target.hash, actor=actor, reason=reason)

    def retire(self, prompt: str, *, label: str | None = None, actor: str, reason: str) -> LabelEvent:
        """Remove a label, or all labels of the prompt. Versions and history stay.

        Raises:
            AlreadyDone: the label's last move is this one.
            InputError: the label is not set, or the reason is missing.
        """
        reason = _reason(reason, "retire")
        self._check_known(prompt)
        with self._change(prompt) as ledger:
            if label not in ledger.labels and (label or not ledger.labels):
                check_repeated(ledger, "retired", label, _text(actor), reason)
            if not ledger.labels or (label is not None and ledger.labels.get(label) is None):
                raise InputError(
                    f"{prompt} has no label {label!r}" if label else f"{prompt} has no label",
                    hint=suggest(label or "", ledger.labels),
                )
            return self._append(ledger, "retired", label, None, actor=actor, reason=reason)

    def fork(self, prompt: str) -> Fork | None:
        """Return the branches of a prompt that two people changed at the same time; None if it has one history.

        Raise ConflictError if a file of a branch was edited or is missing.
        """
        self._check_known(prompt)
        with storage_errors(self._path), self._database.transaction():
            return self._fork(prompt)

    def _fork(self, prompt: str) -> Fork | None:
        if self._sync.state(prompt) is SyncState.DIVERGED:
            return self._sync.fork(prompt)
        self._sync.synchronize(prompt)
        return None

    def merge(self, prompt: str, keep: Mapping[str, str | None]) -> list[LabelEvent]:
        """Join a prompt's branches into one history. Return the events that were appended to the continued branch.

        `keep` is label to version hash, for each label with several `holders` in the fork; None for no version.
        Raise InputError if the choice for a label is missing or no branch has it, ConflictError as `fork` does.
        """
        self._check_known(prompt)
        with storage_errors(self._path):
            self._make_file()
            with self._database.transaction():
                fork = self._fork(prompt)
                if fork is None:
                    return []
                events = fork.join(answered(fork, keep))
                self._sync.replace(fork, events)
        self._mirror_follows(prompt)
        longest = {branch.head.hash for branch in fork.branches}
        return events[max(n for n, event in enumerate(events) if event.hash in longest) + 1 :]

    def _file(self, mode: str) -> Database:
        if mode == "rwc":
            self._folder.mkdir(parents=True, exist_ok=True)
        database = Database.open(self._path, timeout=self._timeout, mode=mode)
        try:
            if database.pending():
                with database.transaction():
                    # Another process may have migrated it meanwhile.
                    if database.pending():
                        database.migrate()
                        Sync(database, self._mirror, self._hash_of, self._rejudge).build()
        except BaseException:
            database.close()
            raise
        return database

    def _use(self, database: Database) -> None:
        self._database = database
        self._sync = Sync(database, self._mirror, self._hash_of, self._rejudge)

    @contextmanager
    def _reading(self, prompt: str) -> Iterator[Ledger]:
        """Synchronize with the mirror and yield the state, derived from the whole chain: rows that somebody edited are
        never served.
        """
        self._check_known(prompt)
        with storage_errors(self._path):
            yield self._ledger(prompt)

    def _ledger(self, prompt: str) -> Ledger:
        self._sync.refresh(prompt)
        self._database.check_counts()
        return ledger_of(prompt, self._database.events(prompt))

    def _served(self, ledger: Ledger, selector: str) -> Version:
        version = self._version(ledger, select(ledger.prompt, selector, ledger.labels, ledger.numbers))
        if self._mirror.version_path(ledger.prompt, version.number, version.hash).exists():
            self._mirror.check_version(version)
        return version

    def _version(self, ledger: Ledger, version: str) -> Version:
        return self._database.version(ledger.prompt, version, number=ledger.numbers[version])

    def _check_known(self, prompt: str) -> None:
        with storage_errors(self._path):
            if is_prompt_name(prompt) and (self._database.event_names(prompt) or self._mirror.event_names(prompt)):
                return
        empty = "the store is empty: `promptbench adopt PROMPT --reason …` records what is in production today"
        raise InputError(f"prompt {prompt!r} not found", hint=suggest(prompt, self.prompts()) or empty)

    @contextmanager
    def _change(self, prompt: str) -> Iterator[Ledger]:
        """Hold a transaction for one event; write the mirror when it is committed."""
        check_prompt_name(prompt)
        with storage_errors(self._path):
            self._make_file()
            with self._database.transaction():
                self._sync.synchronize(prompt)
                self._sync.check(prompt)
                yield ledger_of(prompt, self._database.events(prompt))
        self._mirror_follows(prompt)

    def _make_file(self) -> None:
        if self._database.path is None:
            database = self._file("rwc")
            self._database.close()
            self._use(database)

    def _mirror_follows(self, prompt: str) -> None:
        try:
            with self._database.transaction():
                self._sync.synchronize(prompt)
        except (sqlite3.Error, OSError) as error:
            raise EnvironmentFailure(
                f"the change of {prompt} is recorded in {self._path}, but its text copy was not written: {error}",
                hint=f"make {self._mirror.folder} writable; the next command completes it",
            ) from error

    def _candidate(self, prompt: str, label: str, source: str) -> Version:
        check_prompt_name(prompt)
        check_label(label)
        source = lf(source)
        try:
            source.encode()
            version, content = self._hash_of(source)
        except ValueError as error:
            raise InputError(f"the text of {prompt} is not a prompt: {error}") from error
        return Version(prompt, 0, version, source, content, "")

    def _append(
        self,
        ledger: Ledger,
        kind: str,
        label: str | None,
        target: Version | str | None,
        *,
        body: str | None = None,
        actor: str,
        reason: str | None,
    ) -> LabelEvent:
        at = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        to_hash = target.hash if isinstance(target, Version) else target
        number = ledger.number_for(to_hash) if to_hash else None
        event = LabelEvent(
            prompt=ledger.prompt,
            sequence=ledger.length + 1,
            kind=kind,
            label=label,
            from_hash=ledger.labels.get(label) if label else None,
            to_hash=to_hash,
            to_number=number,
            evidence=digest_text(body) if body else None,
            actor=_text(actor) or "unknown",
            reason=reason,
            at=at,
            prev=ledger.head,
        )
        event = replace(event, summary=ledger.summary(event)).sealed()
        ledger.add(event)
        if isinstance(target, Version) and number is not None:
            self._database.add_version(replace(target, number=number, created=at))
        if event.evidence is not None and body is not None:
            self._database.add_evidence(event.evidence, body)
        self._database.add_event(event)
        return event


def _text(text: str | None) -> str | None:
    # UTF-8 cannot carry lone surrogates: they become question marks.
    return lf(text or "").encode(errors="replace").decode().strip() or None


def _reason(text: str | None, command: str) -> str:
    reason = _text(text)
    if reason is None:
        raise InputError(f"`{command}` needs a reason", hint="add `--reason TEXT`; it is kept in the history")
    return reason
