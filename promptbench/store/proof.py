"""The part of an evidence document that the store reads, and the rules by which it allows a promotion."""

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
    from promptbench.store.chain import LabelEvent, Ledger

SCHEMA_VERSION = 1


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
        version = evidence.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(f"unsupported schema_version {version!r}, expected {SCHEMA_VERSION}")
        verdict = evidence.get("verdict")
        if not isinstance(verdict, dict):
            raise ValueError("verdict is missing")
        fields = {
            "prompt": evidence.get("prompt"),
            "candidate": evidence.get("candidate"),
            "verdict.result": verdict.get("result"),
            "verdict.sentence": verdict.get("sentence", ""),
        }
        for name, value in fields.items():
            if not isinstance(value, str):
                raise ValueError(f"{name}: expected text")
        champion = evidence.get("champion")
        if not isinstance(champion, str | None):
            raise ValueError("champion: expected text or null")
        return cls(evidence["prompt"], evidence["candidate"], champion, verdict["result"], fields["verdict.sentence"])

    def objection(self, prompt: str, to_hash: str | None, champions: Sequence[str | None]) -> str | None:
        """Return why this does not allow moving a label to `to_hash`, or None if it does.

        `champions` are the versions that it may have been compared with; if empty, that is not checked.
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
            hint=_run_again(label),
        )
    check_champion(ledger, label, proof.champion)


def check_moves(ledger: Ledger, label: str, candidate: str) -> None:
    """Raise InputError if the label already points to the candidate."""
    if candidate == ledger.holder(label):
        raise InputError(
            f"nothing to promote: {ledger.name(candidate)} is already {label}",
            hint="edit the prompt's file first, or name the file that you edited",
        )


def check_champion(ledger: Ledger, label: str, champion: str | None) -> None:
    """Raise ConflictError if production has changed since the evidence was made."""
    holder = ledger.holder(PRODUCTION)
    if champion != holder:
        raise ConflictError(
            f"stale evidence: it compared with {ledger.name(champion)}, "
            f"but {PRODUCTION} of {ledger.prompt} is now {ledger.name(holder)}",
            hint=_run_again(label),
        )


def _run_again(label: str) -> str:
    return f"`promptbench run` judges it again; {label} was not moved"


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
