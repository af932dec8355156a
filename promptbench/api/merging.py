"""Joins the branches of prompts that two people changed at the same time, and asks which version keeps a label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptbench.api.workspace import Project
from promptbench.core.canonical import short
from promptbench.core.errors import InputError
from promptbench.store.prompts import Fork, Store

OURS, THEIRS, NONE = "ours", "theirs", "none"


@dataclass(frozen=True, slots=True)
class Claim:
    """A version that a branch has a label at. `hash` and `number`, which is the branch's own, are None for no version.

    `word` is what it is called in an answer, `told` how it came there.
    """

    word: str
    hash: str | None
    number: int | None
    told: str


@dataclass(frozen=True, slots=True)
class Contest:
    """A label that several branches moved, each to a version of its own."""

    prompt: str
    label: str
    claims: Sequence[Claim]

    def answer(self, choice: str) -> str | None:
        """The version hash that a choice means: a claim's word, digits of its hash, or its number if no other has it.

        Raises InputError when it means none, or several.
        """
        digits = choice.removeprefix("sha256:")
        found = [
            claim
            for claim in self.claims
            if choice in (claim.word, str(claim.number))
            or (claim.hash is not None and len(digits) >= 6 and claim.hash.startswith(f"sha256:{digits}"))
            or (choice == NONE and claim.hash is None)
        ]
        if len(found) == 1:
            return found[0].hash
        words = " or ".join(claim.word for claim in self.claims)
        where = f"{self.label} of {self.prompt}"
        if found:
            raise InputError(f"'{choice}' may be several versions of {where}", hint=f"say {words}")
        if choice in (OURS, THEIRS):
            what = f"'{choice}' says nothing about {where}: this machine's database has none of the branches alone"
            raise InputError(what, hint=f"say {words}")
        raise InputError(f"'{choice}' is no version that a branch has {where} at", hint=f"say {words}")


@dataclass(frozen=True, slots=True)
class Merged:
    """A prompt whose branches are one. `labels` are version numbers, `events` sentences; `undo` moves a label that was
    asked for to the version that was not chosen, one command each.
    """

    prompt: str
    labels: Mapping[str, int]
    events: Sequence[str]
    undo: Sequence[str]


def merge(
    project: Project, prompts: Sequence[str], *, keep: Sequence[str], ask: Callable[[Contest], str] | None
) -> list[Merged]:
    """Joins the branches of the prompts, of all where none is named. No version, event or evidence is lost.

    Args:
        keep: answers for all labels, or for one as `LABEL=ANSWER`.
        ask: asks somebody for the answer that is not in `keep`; None where there is nobody.

    Raises InputError, before anything is changed, when an answer is missing or means nothing.
    """
    answers = _answers(keep)
    with project.prompts() as store:
        forks = [fork for prompt in prompts or store.prompts() if (fork := store.fork(prompt))]
        chosen = []
        for fork in forks:
            contests = list(_contests(fork))
            chosen.append({contest.label: _chosen(contest, answers, ask) for contest in contests})
        return [_join(store, fork, versions) for fork, versions in zip(forks, chosen, strict=True)]


def _answers(keep: Sequence[str]) -> dict[str, str]:
    """Answer by label; the one for all labels under the empty name."""
    found: dict[str, str] = {}
    for written in keep:
        label, sign, answer = written.rpartition("=")
        if found.setdefault(label, answer) != answer or (sign and not label) or not answer:
            raise InputError(f"--keep {written} is not clear", hint="write --keep ours, or --keep staging=theirs")
    return found


def _contests(fork: Fork) -> Iterator[Contest]:
    for label, holders in fork.holders().items():
        if len(holders) > 1:
            claims = [_claim(fork, label, version, len(holders)) for version in holders]
            yield Contest(fork.prompt, label, sorted(claims, key=lambda claim: claim.word != OURS))


def _claim(fork: Fork, label: str, version: str | None, several: int) -> Claim:
    having = [branch for branch in fork.branches if branch.ledger.holder(label) == version]
    word = NONE if version is None else short(version)
    if any(branch.here for branch in fork.branches):
        if any(branch.here for branch in having):
            word = OURS
        elif several == 2:
            word = THEIRS
    source = having[0].source(label)
    event = source.origin
    told = f"{event.kind.replace('_', ' ')} by {event.actor} at {event.at}"
    return Claim(word, version, source.to_number, told)


def _chosen(contest: Contest, answers: Mapping[str, str], ask: Callable[[Contest], str] | None) -> str | None:
    choice = answers.get(contest.label, answers.get(""))
    if choice is None and ask is not None:
        choice = ask(contest)
    if choice is None:
        words = " or ".join(f"--keep {contest.label}={claim.word}" for claim in contest.claims)
        raise InputError(
            f"the branches of {contest.prompt} have {contest.label} at different versions, and nobody is there to ask",
            hint=f"say which one stays: {words}",
        )
    return contest.answer(choice)


def _join(store: Store, fork: Fork, keep: Mapping[str, str | None]) -> Merged:
    events = store.merge(fork.prompt, keep)
    labels = {label: version.number for label, version in store.labels(fork.prompt).items()}
    numbers = {version.hash: version.number for version in store.versions(fork.prompt)}
    undo = []
    for label, holders in fork.holders().items():
        others = [numbers[version] for version in holders if version and version != keep.get(label)]
        flag = "" if label == "production" else f" --label {label}"
        if len(holders) > 1:
            undo += [f"promptbench rollback {fork.prompt} --to {number}{flag} --reason '…'" for number in others]
    return Merged(fork.prompt, labels, [event.summary or event.kind for event in events], undo)
