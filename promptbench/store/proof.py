"""The part of an evidence document that the store reads, and the rules by which it allows a promotion."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptbench.core.canonical import canonical
from promptbench.core.errors import ConflictError, Exit, InputError, PromptbenchError
from promptbench.store.names import PRODUCTION

if TYPE_CHECKING:
    from promptbench.core.types import Json
    from promptbench.store.chain import LabelEvent, Ledger

SCHEMA_VERSION = 1
_RUN_AGAIN = "`promptbench run` judges it again; {} was not moved"
# Judges the attempts of an evidence document again and returns how the verdict differs from the recorded one. Raises
# ValueError if the document is not evidence.
Rejudge = Callable[[Any], list[str]]


class AlreadyDone(PromptbenchError):
    """A change that is on record already, in `event`: nothing was changed."""

    exit = Exit.YES

    def __init__(self, event: LabelEvent) -> None:
        super().__init__(f"{event.prompt}@{event.to_number} is {event.label} already")
        self.event = event


class NotProven(PromptbenchError):
    """The evidence does not allow the candidate to replace the production version."""

    exit = Exit.NO


@dataclass(frozen=True, slots=True)
class ProvenModel:
    """A model that a version passed on. `returned` are the model names that its provider returned."""

    model: str
    returned: tuple[str, ...]


def proof_of(events: Sequence[LabelEvent], version: str, label: str | None = None) -> str | None:
    """Return the hash of the evidence of a version's latest promotion.

    None if the version was never promoted on evidence, or if `label` came to it by adoption or by force.
    """
    moves = [event.origin for event in events if event.to_hash == version]
    at_label = [event.kind for event in moves if event.label == label]
    if at_label and at_label[-1] in ("adopted", "forced"):
        return None
    proofs = [event.evidence for event in moves if event.kind in ("initial", "promoted")]
    return proofs[-1] if proofs else None


def proven_models(evidence: Json) -> tuple[ProvenModel, ...]:
    """Return the models that an evidence document judged, each once."""
    found: dict[str, set[str]] = {}
    for suite in evidence.get("suites", []) if isinstance(evidence, dict) else []:
        for model in suite["models"]:
            found.setdefault(model["model"], set()).update(model["returned"])
    return tuple(ProvenModel(model, tuple(sorted(names))) for model, names in found.items())


@dataclass(frozen=True, slots=True)
class Proof:
    """`candidate` and `champion` are version hashes; `champion` is None for a first version."""

    prompt: str
    candidate: str
    champion: str | None
    result: str
    sentence: str

    @classmethod
    def read(cls, evidence: Json) -> Proof:
        """Read an evidence document. Raise ValueError, with the reason as its text, if it is invalid."""
        if not isinstance(evidence, dict):
            raise ValueError("expected an object")
        version, verdict = evidence.get("schema_version"), evidence.get("verdict")
        if version != SCHEMA_VERSION:
            raise ValueError(f"unsupported schema_version {version!r}, expected {SCHEMA_VERSION}")
        if not isinstance(verdict, dict):
            raise ValueError("verdict is missing")
        fields = {
            **{name: evidence.get(name) for name in ("prompt", "candidate", "champion")},
            "result": verdict.get("result"),
            "sentence": verdict.get("sentence", ""),
        }
        for name, value in fields.items():
            if not isinstance(value, str) and (name, value) != ("champion", None):
                raise ValueError(f"{name}: expected text")
        return cls(**fields)


def objection(event: LabelEvent, evidence: Json, ledger: Ledger, rejudge: Rejudge) -> str | None:
    """Return why evidence that somebody else wrote does not prove an event of the ledger; None if it does.

    The recorded attempts are judged again, because whoever can change a verdict can also recompute its hashes. A forced
    event claims nothing.
    """
    claim = event.origin
    if claim.kind not in ("initial", "promoted"):
        return None
    try:
        proof = Proof.read(evidence)
        differences = rejudge(evidence)
    except ValueError as error:
        return str(error)
    champions = ledger.champions[event.hash]
    if proof.result != "PASS":
        return f"its verdict is {proof.result}"
    if proof.prompt != claim.prompt:
        return f"it is about prompt {proof.prompt}"
    if proof.candidate != claim.to_hash:
        return f"it judged {proof.candidate}"
    if champions and proof.champion not in champions:
        return f"it compared with {proof.champion}"
    return next(iter(differences), None)


def check_proof(ledger: Ledger, evidence: Json, label: str, candidate: str) -> None:
    """Check that the evidence allows `label` to move to `candidate`. Any label needs a comparison with production.

    Raises:
        InputError: the document is invalid or about another prompt.
        NotProven: its verdict is not PASS.
        ConflictError: it is stale.
    """
    try:
        proof = Proof.read(evidence)
    except ValueError as error:
        raise InputError(f"invalid evidence: {error}", hint="`promptbench run` makes evidence") from error
    if proof.prompt != ledger.prompt:
        raise InputError(f"the evidence is about {proof.prompt}, not about {ledger.prompt}")
    if proof.result != "PASS":
        raise NotProven(
            f"the verdict is {proof.result}, so {label} was not moved: {proof.sentence}",
            hint="only PASS promotes; `--force --reason …` promotes without proof and stays visible",
        )
    if proof.candidate != candidate:
        raise ConflictError(
            f"stale evidence: it judged {ledger.name(proof.candidate)}, the text is now {ledger.name(candidate)}",
            hint=_RUN_AGAIN.format(label),
        )
    check_champion(ledger, label, proof.champion)


def check_moves(ledger: Ledger, label: str, target: str) -> None:
    """Raise AlreadyDone if the label already points to `target`."""
    if target == ledger.labels.get(label):
        raise AlreadyDone(ledger.moves[label])


def check_repeated(ledger: Ledger, kind: str, label: str | None, actor: str | None, reason: str | None) -> None:
    """Raise AlreadyDone if this very change was the label's last: the same command again, as after a crash."""
    last = ledger.moves.get(label)
    if last and (last.kind, last.label, last.actor, last.reason) == (kind, label, actor, reason):
        raise AlreadyDone(last)


def check_champion(ledger: Ledger, label: str, champion: str | None) -> None:
    """Raise ConflictError if production has changed since the evidence was made."""
    holder = ledger.labels.get(PRODUCTION)
    if champion != holder:
        raise ConflictError(
            f"stale evidence: it compared with {ledger.name(champion)}, "
            f"but {PRODUCTION} of {ledger.prompt} is now {ledger.name(holder)}",
            hint=_RUN_AGAIN.format(label),
        )


def evidence_body(evidence: Json) -> str:
    """Return the evidence as canonical JSON that reads back as itself. Raise InputError if it is not a JSON object."""
    try:
        # A pair of surrogates that was two characters is one after reading, hence twice.
        body = canonical(json.loads(canonical(evidence)))
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"the evidence is not JSON: {error}") from error
    if not body.startswith("{"):
        raise InputError("the evidence is not a JSON object", hint="`promptbench run --output evidence=FILE` writes it")
    return body
