from __future__ import annotations

from typing import Any

import pytest

from promptbench.store.chain import Ledger
from promptbench.store.prompts import Store
from promptbench.store.proof import Proof, objection
from tests.store.kit import evidence, version_of

ONE = version_of("one\n")


def test_reads_what_a_promotion_needs() -> None:
    proof = Proof.read(evidence("triage", "two\n", ONE))
    assert (proof.prompt, proof.champion, proof.result, proof.sentence) == (
        "triage",
        ONE,
        "PASS",
        "PASS: 2 of 2 fixed",
    )


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (evidence("triage", "two\n", ONE), None),
        (evidence("triage", "two\n", ONE, "FAIL"), "verdict is FAIL"),
        (evidence("entities", "two\n", ONE), "about prompt entities"),
        (evidence("triage", "three\n", ONE), "it judged"),
        (evidence("triage", "two\n", None), "compared with None"),
        ({"schema_version": 1}, "verdict is missing"),
    ],
)
def test_objections(triage: Store, document: Any, message: str | None) -> None:
    events = triage.history("triage")[:2]
    found = objection(events[1], document, Ledger("triage", events), lambda proof: [])
    assert found == message or str(message) in str(found)


def test_objects_to_what_another_judgement_finds(triage: Store) -> None:
    events = triage.history("triage")[:2]
    ledger, proof = Ledger("triage", events), evidence("triage", "two\n", ONE)
    assert objection(events[1], proof, ledger, lambda proof: ["recorded PASS, judged again FAIL"]) is not None
    assert objection(events[0], None, ledger, lambda proof: ["an adoption claims nothing"]) is None


@pytest.mark.parametrize("document", [None, 1, [], {}, {"schema_version": 1, "verdict": "PASS"}])
def test_what_is_no_evidence(document: Any) -> None:
    with pytest.raises(ValueError, match=r"expected|missing"):
        Proof.read(document)
