"""The hash chain of one prompt's label events, and the state that follows from it.

An event's hash is `sha256` over the canonical JSON of its file in the text mirror without the key `hash`, so that
anyone can check the chain with a dozen lines in any language. After a merge of two branches, the chain continues one of
them and holds each event of the other whole, in an event of the kind `merged`: so both heads are bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import NoneType
from typing import TYPE_CHECKING

from promptbench.core.canonical import digest, short
from promptbench.core.errors import ConflictError
from promptbench.store.names import PRODUCTION, is_label

if TYPE_CHECKING:
    from promptbench.core.types import Json

# `merged` records an event of another branch, `settled` which branch's version has a label after that.
KINDS = ("adopted", "initial", "promoted", "forced", "rolled_back", "labelled", "retired", "merged", "settled")
# Kinds without evidence, which therefore need a reason.
_UNPROVEN = ("adopted", "forced", "rolled_back", "labelled", "retired")

_FIELDS: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "prompt": (str,),
    "sequence": (int,),
    "label": (str, NoneType),
    "from": (str, NoneType),
    "to": (str, NoneType),
    "version": (int, NoneType),
    "reason": (str, NoneType),
    "actor": (str,),
    "at": (str,),
    "evidence": (str, NoneType),
    "prev": (str, NoneType),
    "hash": (str,),
}
TAMPERED = "`promptbench store verify` shows where; move prompts.sqlite away to rebuild it from the text mirror"
# How often an event may have been merged. Only branches that were merged differently need more than one.
_MAX_DEPTH = 20
# Part of an event's summary, which its hash covers: a changed word would make older stores invalid.
_WHY = {
    "adopted": "adopted without a verdict",
    "initial": "the first version, with nothing to compare",
    "promoted": "promoted",
    "forced": "forced",
    "rolled_back": "rolled back",
    "labelled": "labelled without evidence",
    "retired": "retired",
    "settled": "as a merged branch left it",
}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a prompt. `source` is its file's text with LF, `content` the object that is hashed."""

    prompt: str
    number: int
    hash: str
    source: str
    content: Json
    created: str


@dataclass(frozen=True, slots=True)
class LabelEvent:
    """One change of a label. `label` is None if a whole prompt is retired, and in a merged event, which moves none.

    `at` is in UTC, ISO 8601. `merged` is the event of the other branch, `summary` the change in one sentence; events of
    older stores have no summary.
    """

    prompt: str
    sequence: int
    kind: str
    label: str | None
    from_hash: str | None
    to_hash: str | None
    to_number: int | None
    evidence: str | None
    actor: str
    reason: str | None
    at: str
    prev: str | None
    hash: str = ""
    summary: str | None = None
    merged: LabelEvent | None = None

    def as_dict(self) -> dict[str, Json]:
        """Return the event as its mirror file shows it, in reading order."""
        return {
            **({} if self.summary is None else {"summary": self.summary}),
            "kind": self.kind,
            "prompt": self.prompt,
            "sequence": self.sequence,
            "label": self.label,
            "from": self.from_hash,
            "to": self.to_hash,
            "version": self.to_number,
            "reason": self.reason,
            "actor": self.actor,
            "at": self.at,
            "evidence": self.evidence,
            **({} if self.merged is None else {"merged": self.merged.as_dict()}),
            "prev": self.prev,
            "hash": self.hash,
        }

    @classmethod
    def from_dict(cls, data: Json, *, depth: int = 0) -> LabelEvent:
        """Read an event. Raise ValueError if `data` does not have an event's shape. The hash is not checked."""
        if not isinstance(data, dict):
            raise ValueError("expected an object")
        if depth > _MAX_DEPTH:
            raise ValueError(f"the event was merged more than {_MAX_DEPTH} times")
        fields = set(_FIELDS) | ({"summary"} & set(data)) | ({"merged"} if data.get("kind") == "merged" else set())
        if odd := sorted(set(data) ^ fields):
            raise ValueError(f"{'missing' if odd[0] in fields else 'unknown'} field {odd[0]!r}")
        for name, types in {**_FIELDS, "summary": (str,)}.items():
            if name in data and type(data[name]) not in types:
                raise ValueError(f"{name!r} has the wrong type")
        return cls(
            prompt=data["prompt"],
            sequence=data["sequence"],
            kind=data["kind"],
            label=data["label"],
            from_hash=data["from"],
            to_hash=data["to"],
            to_number=data["version"],
            evidence=data["evidence"],
            actor=data["actor"],
            reason=data["reason"],
            at=data["at"],
            prev=data["prev"],
            hash=data["hash"],
            summary=data.get("summary"),
            merged=cls.from_dict(data["merged"], depth=depth + 1) if "merged" in data else None,
        )

    def digest(self) -> str:
        """Return the hash of this event's content."""
        content = self.as_dict()
        del content["hash"]
        return digest(content)

    def sealed(self) -> LabelEvent:
        """Return the event with its hash."""
        return replace(self, hash=self.digest())

    @property
    def file_name(self) -> str:
        """The name of its file in the text mirror."""
        return event_file_name(self.sequence, self.kind, self.hash)

    def within(self) -> Iterator[LabelEvent]:
        """Yield the event itself and the events merged into it, outermost first."""
        event: LabelEvent | None = self
        while event is not None:
            yield event
            event = event.merged

    @property
    def origin(self) -> LabelEvent:
        """The event as it was first recorded, on any branch."""
        return list(self.within())[-1]

    def describe(self, before: int | None) -> str:
        """Return the event's summary; `before` is the number of the version that loses the label.

        The wording must not change: the event's hash covers it.
        """
        what = f"{self.prompt}@{self.to_number}"
        if self.merged is not None:
            event = self.origin
            done = f"{event.kind.replace('_', ' ')} by {event.actor} as event {event.sequence}"
            if event.to_hash is None:
                return f"a merged branch took {event.label or 'every label'} of {self.prompt} away: {done}"
            return f"{what} comes from a merged branch, where it was {event.label} as @{event.to_number}: {done}"
        was = f" (was {self.prompt}@{before})" if before else ""
        proof = f" on evidence {short(self.evidence)}" if self.evidence else ""
        if self.kind == "forced" and not self.evidence:
            proof = " without proof"
        why = f"{_WHY[self.kind]}{proof} by {self.actor}"
        if self.to_hash is None:
            return f"{self.label or 'every label'} of {self.prompt} is taken away{was}: {why}"
        return f"{what} is now {self.label}{was}: {why}"


def event_file_name(sequence: int, kind: str, tagged: str) -> str:
    """Return the name of an event's file in the text mirror; `tagged` is its hash with `sha256:`."""
    return f"{sequence:04d}-{kind}-{tagged.removeprefix('sha256:')}.json"


class Ledger:
    """The state after one prompt's events: its versions, and the present and earlier holders of each label."""

    def __init__(self, prompt: str, events: Iterable[LabelEvent] = ()) -> None:
        """Apply events in order. Raise ValueError, as `add` does."""
        self.prompt = prompt
        self.length = 0
        self.head: str | None = None
        # Version hash to version number.
        self.numbers: dict[str, int] = {}
        # The hashes of all events, also of those inside merged ones.
        self.known: set[str] = set()
        # By the hash of an event with evidence, the versions that the evidence may have compared with: the label's
        # previous holder, or production's if another label moved. Empty if only the merged branch knows.
        self.champions: dict[str, tuple[str | None, ...]] = {}
        # The event that last moved or removed each label; of a retirement of all labels, under None.
        self.moves: dict[str | None, LabelEvent] = {}
        # The hash of the version that holds each label.
        self.labels: dict[str, str] = {}
        self._stacks: dict[str, list[str]] = {}
        # Every version that holds a label or ever held it.
        self.held: dict[str, set[str]] = {}
        for event in events:
            self.add(event)

    def previous(self, label: str) -> str | None:
        """Return the version that a rollback leads to. A second rollback goes one version further back."""
        stack = self._stacks.get(label, [])
        below = stack[:-1] if label in self.labels else stack
        return below[-1] if below else None

    def number_for(self, version: str) -> int:
        """Return the number that the version has, or the next free one."""
        return self.numbers.get(version, len(self.numbers) + 1)

    def name(self, version: str | None) -> str:
        """Return a version as messages show it."""
        if version is None:
            return "no version"
        number = self.numbers.get(version)
        return f"{self.prompt}@{number} ({short(version)})" if number else f"a new version ({short(version)})"

    def add(self, event: LabelEvent) -> None:
        """Apply an event. Raise ValueError, with the reason as its text, if it cannot come next."""
        if event.hash != event.digest():
            raise ValueError("its content does not match its hash")
        if event.prompt != self.prompt:
            raise ValueError(f"it belongs to prompt {event.prompt!r}")
        if event.sequence != self.length + 1:
            raise ValueError(f"event {self.length + 1} is missing before it")
        if event.prev != self.head:
            raise ValueError("it does not continue the event before it")
        objection = self._objection(event)
        if objection:
            raise ValueError(objection)
        if event.evidence is not None:
            self.champions[event.hash] = self._champions(event)
        self._apply(event)

    def summary(self, event: LabelEvent) -> str:
        """Return the summary of an event that comes next."""
        return event.describe(self.numbers.get(event.from_hash) if event.from_hash else None)

    def _champions(self, event: LabelEvent) -> tuple[str | None, ...]:
        origin = event.origin
        if origin.label == PRODUCTION:
            return (origin.from_hash,)
        return () if event.merged else (self.labels.get(PRODUCTION), origin.from_hash)

    def _objection(self, event: LabelEvent) -> str | None:
        if event.kind not in KINDS:
            return f"unknown kind {event.kind!r}"
        if any(inner.label is not None and not is_label(inner.label) for inner in event.within()):
            return "invalid label"
        if (event.merged is not None) != (event.kind == "merged"):
            return "only a merged event holds an event of another branch"
        merged = self._merge_objection(event) if event.merged else self._label_objection(event)
        objection = self._version_objection(event) or merged
        if objection is None and event.summary not in (None, self.summary(event)):
            return "its summary does not match it"
        return objection

    def _merge_objection(self, event: LabelEvent) -> str | None:
        for inner in list(event.within())[1:]:
            if inner.hash != inner.digest() or inner.prompt != self.prompt:
                return "the event of another branch in it does not match its hash"
        if event.merged is not None and event.merged.hash in self.known:
            return "it holds an event that is already recorded"
        origin = event.origin
        if origin.kind not in KINDS or (origin.to_hash is not None and origin.label is None):
            return "the event of another branch in it is invalid"
        if (event.to_hash, event.evidence) != (origin.to_hash, origin.evidence):
            return "it does not match the event of another branch in it"
        return "it moves a label" if event.label or event.from_hash else None

    def _version_objection(self, event: LabelEvent) -> str | None:
        if event.kind == "retired" or (event.kind in ("merged", "settled") and event.to_hash is None):
            return None if event.to_hash is None and event.to_number is None else "a retirement names no version"
        if event.to_hash is None or event.to_number is None:
            return "it names no version"
        if event.to_number != self.number_for(event.to_hash):
            return f"version number {event.to_number} is not free for {event.to_hash}"
        if event.kind in ("rolled_back", "labelled", "settled") and event.to_hash not in self.numbers:
            return "it leads to an unknown version"
        return None

    def _label_objection(self, event: LabelEvent) -> str | None:
        if event.kind in _UNPROVEN and not event.reason:
            return "it gives no reason"
        if event.label is None:
            return None if event.kind == "retired" and event.from_hash is None else "it names no label"
        holder = self.labels.get(event.label)
        if event.from_hash != holder:
            return f"{event.label} was at {holder or 'no version'}, not at {event.from_hash or 'no version'}"
        production = self.labels.get(PRODUCTION)
        if (event.kind == "adopted" and holder is not None) or (
            event.kind == "initial" and None not in (holder, production)
        ):
            return f"{event.label} was already set"
        if (event.kind == "retired" and holder is None) or (event.kind == "promoted" and not (holder or production)):
            return f"{event.label} was not set"
        if event.to_hash == holder:
            return f"{event.label} was already there"
        if event.kind in ("rolled_back", "settled") and event.to_hash not in {None, *self.held.get(event.label, ())}:
            return f"it leads back to a version that was never {event.label}"
        if event.kind == "labelled" and event.label == PRODUCTION:
            return f"{PRODUCTION} needs evidence"
        if (event.evidence is not None) != (event.kind in ("initial", "promoted")) and event.kind != "forced":
            return "it has no evidence" if event.evidence is None else "evidence is not allowed for its kind"
        return None

    def _apply(self, event: LabelEvent) -> None:
        self.length = event.sequence
        self.head = event.hash
        self.known.update(inner.hash for inner in event.within())
        if event.merged is not None:
            if event.to_hash is not None:
                self.numbers.setdefault(event.to_hash, len(self.numbers) + 1)
                self.held.setdefault(event.origin.label or "", set()).add(event.to_hash)
            return
        self.moves[event.label] = event
        if event.to_hash is None:
            for label in [event.label] if event.label else list(self.labels):
                self.moves[label] = event
                self.labels.pop(label, None)
            return
        assert event.label is not None
        self.numbers.setdefault(event.to_hash, len(self.numbers) + 1)
        stack = self._stacks.setdefault(event.label, [])
        below = stack[:-1] if event.label in self.labels else stack
        if event.kind == "rolled_back" and event.to_hash in below:
            while below[-1] != event.to_hash:
                below.pop()
            stack[:] = below
        elif stack[-1:] != [event.to_hash]:
            stack.append(event.to_hash)
        self.held.setdefault(event.label, set()).add(event.to_hash)
        self.labels[event.label] = event.to_hash


def ledger_of(prompt: str, events: Iterable[LabelEvent]) -> Ledger:
    """Return the state after the database's events. Raise ConflictError if they are not a valid chain."""
    try:
        return Ledger(prompt, events)
    except ValueError as error:
        raise ConflictError(f"{prompt}: its history in the database is invalid: {error}", hint=TAMPERED) from error
