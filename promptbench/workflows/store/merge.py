"""Join the branches of prompts that two people changed at the same time, and let somebody choose contested labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptbench.core.canonical import short
from promptbench.core.errors import InputError
from promptbench.project import Project
from promptbench.store.prompts import Fork, Store

OURS, THEIRS, NONE = "ours", "theirs", "none"


@dataclass(frozen=True, slots=True)
class LabelClaim:
    """The version that a branch gave a label. `hash` and `number` (the branch's own) are None for no version.

    `word` names it in an answer, `origin` says how the label came there.
    """

    word: str
    hash: str | None
    number: int | None
    origin: str


@dataclass(frozen=True, slots=True)
class LabelConflict:
    """A label that several branches moved to different versions."""

    prompt: str
    label: str
    claims: Sequence[LabelClaim]

    def answer(self, choice: str) -> str | None:
        """Return the version hash for a choice: a claim's word, digits of its hash, or its number if unique.

        Raises:
            InputError: no claim matches, or several do.
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
        where = f"{self.label} of {self.prompt}"
        problem = f"'{choice}' is ambiguous for {where}" if found else f"no branch has {where} at '{choice}'"
        if choice in (OURS, THEIRS):
            problem = f"'{choice}' is unknown for {where}: this clone's database has none of the branches alone"
        raise InputError(problem, hint=self.choices())

    def choices(self) -> str:
        """Return the options that choose, each with how the version came to have the label."""
        words = (f"--keep {self.label}={claim.word} ({claim.origin})" for claim in self.claims)
        return f"choose which one stays: {' or '.join(words)}"


@dataclass(frozen=True, slots=True)
class MergeResult:
    """A joined prompt. `labels` are version numbers, `events` summaries; each command in `undo` moves a contested label
    to a version that was not chosen.
    """

    prompt: str
    labels: Mapping[str, int]
    events: Sequence[str]
    undo: Sequence[str]


def merge(
    project: Project, prompts: Sequence[str], *, keep: Sequence[str], ask: Callable[[LabelConflict], str] | None
) -> list[MergeResult]:
    """Join the branches of the prompts, by default of all. No version, event or evidence is lost.

    Args:
        keep: choices for all labels, or for one as `LABEL=CHOICE`.
        ask: asks the user for a choice that is not in `keep`; None if nobody can be asked.

    Raises:
        InputError: a choice is missing or invalid. Nothing was changed.
    """
    answers = _answers(keep)
    with project.prompts() as store:
        forks = [fork for prompt in prompts or store.prompts() if (fork := store.fork(prompt))]
        # Every choice is made before anything is changed.
        chosen = [{item.label: _chosen(item, answers, ask) for item in _contests(fork)} for fork in forks]
        return [_join(store, fork, versions) for fork, versions in zip(forks, chosen, strict=True)]


def _answers(keep: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for written in keep:
        label, sign, answer = written.rpartition("=")
        if found.setdefault(label, answer) != answer or (sign and not label) or not answer:
            raise InputError(f"invalid --keep {written}", hint="write --keep ours, or --keep staging=theirs")
    return found


def _contests(fork: Fork) -> Iterator[LabelConflict]:
    for label, holders in fork.holders().items():
        if len(holders) > 1:
            claims = [_claim(fork, label, version, len(holders)) for version in holders]
            yield LabelConflict(fork.prompt, label, sorted(claims, key=lambda claim: claim.word != OURS))


def _claim(fork: Fork, label: str, version: str | None, several: int) -> LabelClaim:
    having = [branch for branch in fork.branches if branch.ledger.labels.get(label) == version]
    word = NONE if version is None else short(version)
    if any(branch.here for branch in fork.branches):
        if any(branch.here for branch in having):
            word = OURS
        elif several == 2:
            word = THEIRS
    source = having[0].source(label)
    event = source.origin
    origin = f"{event.kind.replace('_', ' ')} by {event.actor} at {event.at}"
    return LabelClaim(word, version, source.to_number, origin)


def _chosen(
    contest: LabelConflict, answers: Mapping[str, str], ask: Callable[[LabelConflict], str] | None
) -> str | None:
    choice = answers.get(contest.label, answers.get(""))
    if choice is None and ask is not None:
        choice = ask(contest)
    if choice is None:
        raise InputError(
            f"the branches of {contest.prompt} have {contest.label} at different versions, and nobody can be asked",
            hint=contest.choices(),
        )
    return contest.answer(choice)


def _join(store: Store, fork: Fork, keep: Mapping[str, str | None]) -> MergeResult:
    events = store.merge(fork.prompt, keep)
    labels = {label: version.number for label, version in store.labels(fork.prompt).items()}
    numbers = {version.hash: version.number for version in store.versions(fork.prompt)}
    undo = []
    for label, holders in fork.holders().items():
        others = [numbers[version] for version in holders if version and version != keep.get(label)]
        flag = "" if label == "production" else f" --label {label}"
        if len(holders) > 1:
            undo += [f"promptbench rollback {fork.prompt} --to {number}{flag} --reason '…'" for number in others]
    return MergeResult(fork.prompt, labels, [event.summary or event.kind for event in events], undo)
