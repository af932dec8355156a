from __future__ import annotations

import json

import pytest

from promptbench.report.document import Target
from tests.report import kit
from tests.report.golden import check


def test_golden() -> None:
    check("evidence.json", kit.rendered("evidence", [kit.report()], Target()))


def test_it_is_the_proof_with_a_line_an_attempt() -> None:
    report = kit.report()
    text = kit.rendered("evidence", [report], Target())
    assert text.encode().decode() == text
    assert json.loads(text) == report.proof
    assert report.proof is not None
    assert sum(line.startswith('    {"case"') for line in text.splitlines()) == len(report.proof["attempts"])
    assert (
        json.loads(kit.rendered("evidence", [kit.report(proof={"schema_version": 1, "attempts": []})], Target()))[
            "attempts"
        ]
        == []
    )


def test_no_verdict_is_no_evidence() -> None:
    with pytest.raises(ValueError, match="no evidence"):
        kit.rendered("evidence", [kit.report(proof=None)], Target())
