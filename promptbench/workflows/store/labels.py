"""Move labels without proof: adopt, force, roll back, retire, and labels of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from promptbench.core.errors import Diagnostics, InputError
from promptbench.project import PRODUCTION, SUITE_FILE, Project, Selection, input_error, stored_prompt
from promptbench.prompts.chain import Chain, is_chain
from promptbench.prompts.parser import load as load_prompt
from promptbench.settings.settings import actor
from promptbench.store.proof import AlreadyDone

if TYPE_CHECKING:
    from promptbench.report.model import Promotion
    from promptbench.store.prompts import LabelEvent, Store


@dataclass(frozen=True, slots=True)
class Who:
    """The actor and the reason of a change, as given on the command line."""

    actor: str | None = None
    reason: str | None = None


# Acts under the name in the settings, the CI or git, and gives no reason.
DEFAULT_WHO = Who()


def adopt(project: Project, path: Path, *, label: str, who: Who) -> Promotion:
    """Record the prompt, or the suite's chain or judged model, that is in use today under a label, without a verdict.

    Raises:
        InputError: the label is set, the reason is missing, or the file is not a prompt.
    """
    by, reason = actor_of(project, who), who.reason or ""
    with project.prompts() as store:
        name, source = _read_version(project, store, path)
        return moved(store, partial(store.adopt, name, source, label=label, actor=by, reason=reason))


def force(project: Project, prompt: str, path: Path, *, label: str, who: Who) -> Promotion:
    """Move a label without proof. It stays visible as `forced`.

    Raises:
        InputError: the reason is missing, or the file is not a version of this prompt.
    """
    by = actor_of(project, who)
    with project.prompts() as store:
        name, source = _read_version(project, store, path)
        if name != prompt:
            raise InputError(f"{path.name} belongs to '{name}', not to '{prompt}'")
        change = partial(store.promote, evidence=None, force=True)
        return moved(store, partial(change, prompt, source, label=label, actor=by, reason=who.reason))


def set_label(project: Project, reference: str, label: str, *, who: Who) -> Promotion:
    """Point a label of one's own to a stored version, without evidence.

    Raises:
        InputError: the label is `production` or already points there, or the reason is missing.
    """
    with project.prompts() as store:
        by, reason = actor_of(project, who), who.reason or ""
        return moved(store, partial(store.label, reference, label, actor=by, reason=reason))


def rollback(project: Project, prompt: str, *, to: str | None = None, label: str = PRODUCTION, who: Who) -> Promotion:
    """Move a label back to a version that held it before, by default the last one.

    Raises:
        InputError: if there is no such version, or `who` gives no reason.
    """
    with project.prompts() as store:
        by, reason = actor_of(project, who), who.reason or ""
        return moved(store, partial(store.rollback, prompt, to=to, label=label, actor=by, reason=reason))


def retire(project: Project, prompt: str, *, label: str | None, who: Who) -> list[str]:
    """Remove a label, or all labels, of a prompt, and return the commands that undo it.

    Raise InputError if it was never set, or without a reason.
    """
    with project.prompts() as store:
        held = store.labels(prompt) if prompt in store.prompts() else {}
        with suppress(AlreadyDone):
            store.retire(prompt, label=label, actor=actor_of(project, who), reason=who.reason or "")
        return [_rollback(prompt, item.number, name) for name, item in held.items() if label in (None, name)]


def actor_of(project: Project, who: Who) -> str:
    """Return who acts: as given, or from the settings, the CI or git."""
    return actor(project.settings, project.environ, who.actor)


def _read_version(project: Project, store: Store, path: Path) -> tuple[str, str]:
    """Return the name and text of a prompt file, or of what a suite has instead. Raise InputError if unreadable."""
    if path.is_dir() or path.name == SUITE_FILE:
        selection = Selection(paths=(project.suite_file(path),))
        [prepared], _ = project.assemble(selection, store=store, runs=None, without_keys=True)
        if len(prepared.candidates) > 1 or not prepared.suite.steps:
            raise InputError(f"{path} is a suite with prompts", hint="name the prompt file")
        return prepared.prompt_name, prepared.candidates[0].prompt.source
    found = Diagnostics()
    if (prompt := load_prompt(path, project.shown(path), found)) is None:
        raise input_error(found)
    return prompt.name, prompt.source


def moved(store: Store, change: Callable[[], LabelEvent]) -> Promotion:
    """Move a label. Return what changed, or that it was like that before, and the command that undoes it."""
    try:
        return described(store, change())
    except AlreadyDone as done:
        return described(store, done.event, already=True)


def described(store: Store, event: LabelEvent, *, already: bool = False) -> Promotion:
    """Return what an event changed, and the command that undoes it."""
    from promptbench.report.model import Promotion

    assert event.to_number is not None
    assert event.to_hash is not None
    previous = store.get(f"{event.prompt}@{event.from_hash}").number if event.from_hash else None
    label = event.label or PRODUCTION
    undo = f"promptbench retire {event.prompt} --label {label} --reason '…'"
    if previous:
        undo = _rollback(event.prompt, previous, label)
    returning = _fixes_undone(store, event) if event.kind == "rolled_back" else []
    return Promotion(
        event.prompt,
        event.label or "",
        event.to_number,
        event.to_hash,
        previous,
        undo,
        returning,
        already=already,
        notes=list(_notes(store, event)),
    )


def _notes(store: Store, event: LabelEvent) -> Iterator[str]:
    """Yield which files the version needs that are not in the store, and which chains have a text of the prompt."""
    moved = stored_prompt(store.get(f"{event.prompt}@{event.to_hash}").source)
    for step in moved.steps if isinstance(moved, Chain) else ():
        for path in step.pinned.not_kept:
            yield f"keep {path}: the prompt store has only its hash, and this version does not run without it"
    for name in store.prompts() if event.label == PRODUCTION else ():
        version = store.labels(name).get(PRODUCTION)
        if version and is_chain(version.source) and f"\n    prompt: {event.prompt}\n" in version.source:
            yield f"{name}@{version.number} in production keeps its own text of {event.prompt}"


def _rollback(prompt: str, number: int, label: str) -> str:
    option = "" if label == PRODUCTION else f" --label {label}"
    return f"promptbench rollback {prompt} --to {number}{option} --reason '…'"


def _fixes_undone(store: Store, event: LabelEvent) -> list[str]:
    from promptbench.gate.evidence import fixed_cases

    origins = (item.origin for item in store.history(event.prompt))
    proofs = [
        past.evidence
        for past in origins
        if past.to_hash == event.from_hash and past.evidence and past.label == event.label
    ]
    return fixed_cases(store.evidence(proofs[-1])) if proofs else []
