"""Join two branches of one prompt's history.

The result depends only on the branches and the answers to the questions, not on who merges, when or in which clone. So
two people who answer alike get the same files, and git has nothing to merge between them.

- One branch continues as it is: the one whose version stays `production`, else the one whose last event is the oldest.
- Each event of the others is appended whole, in a `merged` event; the versions get the next free numbers.
- A label that only one branch moved keeps that branch's version. If several moved it to different versions, the caller
  must choose. If the continued branch has it elsewhere, a `settled` event moves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.core.errors import ConflictError, InputError
from promptbench.store.chain import LabelEvent, Ledger
from promptbench.store.names import PRODUCTION


@dataclass(frozen=True, slots=True)
class Branch:
    """One history from its first event on. `here` is True if only this branch is in this machine's database."""

    events: tuple[LabelEvent, ...]
    ledger: Ledger
    here: bool = False

    @property
    def head(self) -> LabelEvent:
        """The last event."""
        return self.events[-1]

    def source(self, label: str) -> LabelEvent:
        """Return the event that last moved or removed the label."""
        moves = (e for e in reversed(self.events) if e.label == label or (e.kind == "retired" and e.label is None))
        return next(moves, self.head)

    def known_to(self, other: Branch) -> Ledger:
        """Return the state of this branch at the last event that the other one has too."""
        ledger = Ledger(self.ledger.prompt)
        for event in self.events:
            if event.hash not in other.ledger.known:
                break
            ledger.add(event)
        return ledger


@dataclass(frozen=True, slots=True)
class Fork:
    """The branches of one prompt, at least two, always in the same order."""

    prompt: str
    branches: tuple[Branch, ...]

    def holders(self) -> dict[str, list[str | None]]:
        """Return, by label, the versions that may have it after the merge; several if somebody must choose.

        None stands for no version.
        """
        labels = sorted({label for branch in self.branches for label in branch.ledger.labels})
        bases = {(i, j): a.known_to(b) for i, a in enumerate(self.branches) for j, b in enumerate(self.branches)}
        return {label: self._holders(label, bases) for label in labels}

    def _holders(self, label: str, bases: Mapping[tuple[int, int], Ledger]) -> list[str | None]:
        held = [branch.ledger.labels.get(label) for branch in self.branches]
        indexes = range(len(held))

        def moved(i: int, j: int) -> bool:
            return held[i] != bases[i, j].labels.get(label)

        fresh = [i for i in indexes if not any(moved(j, i) and not moved(i, j) for j in indexes)]
        return list(dict.fromkeys(held[i] for i in fresh or indexes))

    def join(self, keep: Mapping[str, str | None]) -> list[LabelEvent]:
        """Return the joined history, in which each label has the version given by `keep`."""
        keeping = (branch for branch in self.branches if branch.ledger.labels.get(PRODUCTION) == keep.get(PRODUCTION))
        trunk = next(keeping, self.branches[0])
        ledger, events = Ledger(self.prompt, trunk.events), list(trunk.events)
        for branch in self.branches:
            for event in branch.events:
                if event.hash not in ledger.known:
                    events.append(_add(ledger, _merged(ledger, event)))
        for label, version in sorted(keep.items()):
            if ledger.labels.get(label) != version:
                source = next(b for b in self.branches if b.ledger.labels.get(label) == version).source(label)
                events.append(_add(ledger, _settled(ledger, label, version, source)))
        return events


def answered(fork: Fork, keep: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the version of every label, using `keep` where a choice is needed.

    Raises:
        InputError: a choice is missing, or no branch has that version.
    """
    found: dict[str, str | None] = {}
    for label, holders in fork.holders().items():
        if len(holders) > 1 and keep.get(label, "") not in holders:
            versions = " or ".join(map(str, holders))
            raise InputError(f"the branches of {fork.prompt} have {label} at different versions: choose {versions}")
        found[label] = keep[label] if len(holders) > 1 else holders[0]
    return found


def fork_of(prompt: str, known: Sequence[LabelEvent], written: Iterable[LabelEvent]) -> Fork | None:
    """Return the branches in the database's and the mirror's events together; None if there is only one.

    Raises:
        ConflictError: an event is missing, or one does not follow the one before.
    """
    pool: dict[str, LabelEvent] = {}
    inside: set[str] = set()
    for event in (*known, *written):
        first, *others = event.within()
        pool |= {inner.hash: inner for inner in (first, *others)}
        inside |= {inner.hash for inner in others}
    followed = {event.prev for event in pool.values()}
    heads = [event for event in pool.values() if event.hash not in followed | inside]
    heads.sort(key=lambda event: (event.at, event.hash))
    here = known[-1].hash if known else ""
    branches = [_branch(prompt, head, pool) for head in heads]
    having = [here in branch.ledger.known for branch in branches]
    if len(branches) < 2:
        return None
    if having.count(True) == 1:
        branches = [replace(branch, here=has) for branch, has in zip(branches, having, strict=True)]
    return Fork(prompt, tuple(branches))


def _branch(prompt: str, head: LabelEvent, pool: Mapping[str, LabelEvent]) -> Branch:
    events = tuple(reversed(list(_back(head, pool))))
    try:
        return Branch(events, Ledger(prompt, events))
    except ValueError as error:
        raise ConflictError(
            f"{prompt}: the branch that ends with {head.file_name} is invalid: {error}",
            hint="restore the prompt's folder with git; `promptbench store verify` shows what else is wrong",
        ) from error


def _back(head: LabelEvent, pool: Mapping[str, LabelEvent]) -> Iterator[LabelEvent]:
    event, seen = head, set[str]()
    while True:
        yield event
        seen.add(event.hash)
        if event.prev is None:
            return
        if event.prev not in pool or event.prev in seen:
            raise ConflictError(
                f"{event.prompt}: the event before {event.file_name} is missing ({event.prev})",
                hint="restore its file with git",
            )
        event = pool[event.prev]


def _add(ledger: Ledger, event: LabelEvent) -> LabelEvent:
    event = replace(event, sequence=ledger.length + 1, prev=ledger.head)
    event = replace(event, summary=ledger.summary(event)).sealed()
    ledger.add(event)
    return event


def _merged(ledger: Ledger, event: LabelEvent) -> LabelEvent:
    number = ledger.number_for(event.to_hash) if event.to_hash else None
    return replace(event, kind="merged", label=None, from_hash=None, to_number=number, merged=event)


def _settled(ledger: Ledger, label: str, version: str | None, source: LabelEvent) -> LabelEvent:
    # Actor and time are those of the move on the branch, so that the outcome does not depend on who merges.
    return replace(
        source,
        kind="settled",
        label=label,
        from_hash=ledger.labels.get(label),
        to_hash=version,
        to_number=ledger.numbers[version] if version else None,
        evidence=None,
        reason=None,
        merged=None,
    )
