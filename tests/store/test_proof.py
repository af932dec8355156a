from __future__ import annotations

from typing import Any

import pytest

from promptbench.store.proof import Proof
from tests.store.kit import evidence, version_of

ONE, TWO = version_of("one\n"), version_of("two\n")


def test_a_proof_has_no_objection() -> None:
    proof = Proof.read(evidence("triage", "two\n", ONE))
    assert proof.objection("triage", TWO, [ONE]) is None
    assert proof.sentence == "PASS: 2 of 2 fixed"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (evidence("triage", "two\n", ONE, "FAIL"), "verdict is FAIL"),
        (evidence("entities", "two\n", ONE), "about prompt entities"),
        (evidence("triage", "three\n", ONE), "it judged"),
        (evidence("triage", "two\n", None), "compared with None"),
    ],
)
def test_objections(document: Any, message: str) -> None:
    assert message in str(Proof.read(document).objection("triage", TWO, [ONE]))


@pytest.mark.parametrize("document", [None, 1, [], {}, {"schema_version": 1, "verdict": "PASS"}])
def test_what_is_no_evidence(document: Any) -> None:
    with pytest.raises(ValueError, match=r"expected|missing"):
        Proof.read(document)
