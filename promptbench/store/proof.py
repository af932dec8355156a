"""What a promotion rests on: the part of an evidence document that the store itself reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptbench.core.canonical import canonical
from promptbench.core.errors import ConflictError, Exit, InputError, PromptbenchError
from promptbench.store.names import PRODUCTION

if TYPE_CHECKING:
    from promptbench.core.types import Json
    from promptbench.store.chain import Event, Ledger

SCHEMA_VERSION = 1


class NotProven(PromptbenchError):
    """The evidence does not say that the candidate may take the champion's place."""

    exit = Exit.NO


@dataclass(frozen=True, slots=True)
class ProvenModel:
    """A model that a version passed on. `returned` are the names by which its provider answered."""

    model: str
    returned: tuple[str, ...]


def proof_of(events: Sequence[Event], version: str, label: str | None = None) -> str | None:
    """The hash of the evidence that a version rests on: that of its latest promotion.

    None where nothing ever proved it, and where `label` came to it by adoption or by force.
    """
    moves = [event.origin for event in events if event.to_hash == version]
    at_label = [event.kind for event in moves if event.label == label]
    if at_label and at_label[-1] in ("adopted", "forced"):
        return None
    proofs = [event.evidence for event in moves if event.kind in ("initial", "promoted")]
    return proofs[-1] if proofs else None


def proven_models(evidence: Json) -> tuple[ProvenModel, ...]:
    """The models that an evidence document judged, each once; none where it names none."""
    found: dict[str, set[str]] = {}
    suites = evidence.get("suites", []) if isinstance(evidence, dict) else []
    for suite in suites:
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
        """Raises ValueError, with the reason as its text, when `evidence` is no evidence document."""
        if not isinstance(evidence, dict):
            raise ValueError("it is not an object")
        if evidence.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(
                f"its schema_version is {evidence.get('schema_version')!r}, this promptbench reads {SCHEMA_VERSION}"
            )
        verdict = evidence.get("verdict")
        if not isinstance(verdict, dict):
            raise ValueError("it holds no verdict")
        fields = {
            "prompt": evidence.get("prompt"),
            "candidate": evidence.get("candidate"),
            "verdict.result": verdict.get("result"),
            "verdict.sentence": verdict.get("sentence", ""),
        }
        for name, value in fields.items():
            if not isinstance(value, str):
                raise ValueError(f"its {name} is not a text")
        champion = evidence.get("champion")
        if not isinstance(champion, str | None):
            raise ValueError("its champion is neither a text nor null")
        return cls(evidence["prompt"], evidence["candidate"], champion, verdict["result"], fields["verdict.sentence"])

    def objection(self, prompt: str, to_hash: str | None, champions: Sequence[str | None]) -> str | None:
        """Why this does not prove that a label may move to `to_hash`, or None when it does.

        `champions` are the versions that it may have compared with; with none at all that is not looked at.
        """
        if self.result != "PASS":
            return f"its verdict is {self.result}"
        if self.prompt != prompt:
            return f"it is about prompt {self.prompt}"
        if self.candidate != to_hash:
            return f"it judged {self.candidate}"
        if champions and self.champion not in champions:
            return f"it compared with {self.champion}"
        return None


def check_proof(ledger: Ledger, evidence: Json, label: str, candidate: str) -> None:
    """Whether the evidence lets `label` move to `candidate`: whatever the label, it compared with production.

    Raises InputError when it is none, NotProven when its verdict is not PASS, ConflictError when it is stale.
    """
    try:
        proof = Proof.read(evidence)
    except ValueError as error:
        raise InputError(f"the evidence cannot be read: {error}", hint="`promptbench run` makes evidence") from error
    if proof.prompt != ledger.prompt:
        raise InputError(f"the evidence is about {proof.prompt}, not about {ledger.prompt}")
    if proof.result != "PASS":
        raise NotProven(
            f"the verdict is {proof.result}, so {label} stays where it is: {proof.sentence}",
            hint="only PASS promotes; `--force --reason …` does it without proof and stays visible",
        )
    if proof.candidate != candidate:
        raise ConflictError(
            f"stale evidence: it judged {ledger.name(proof.candidate)}, the text is {ledger.name(candidate)} now",
            hint=_again(label),
        )
    check_champion(ledger, label, proof.champion)


def check_moves(ledger: Ledger, label: str, candidate: str) -> None:
    """Raises InputError where the label is at the candidate already."""
    if candidate == ledger.holder(label):
        raise InputError(
            f"nothing to promote: {ledger.name(candidate)} is {label} already",
            hint="edit the prompt's file first, or name the file that you edited",
        )


def check_champion(ledger: Ledger, label: str, champion: str | None) -> None:
    """Raises ConflictError where another version is in production than the evidence compared with."""
    holder = ledger.holder(PRODUCTION)
    if champion != holder:
        raise ConflictError(
            f"stale evidence: it compared with {ledger.name(champion)}, "
            f"but {PRODUCTION} of {ledger.prompt} is {ledger.name(holder)} now",
            hint=_again(label),
        )


def _again(label: str) -> str:
    return f"`promptbench run` judges it again; {label} was not moved"


def evidence_body(evidence: Json) -> str:
    """The evidence as canonical JSON that reads back as itself."""
    try:
        # A pair of surrogates that was two characters is one after reading, hence twice.
        body = canonical(json.loads(canonical(evidence)))
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"the evidence is not JSON: {error}") from error
    if not body.startswith("{"):
        raise InputError("the evidence is not a JSON object", hint="`promptbench run --output evidence=FILE` writes it")
    return body
