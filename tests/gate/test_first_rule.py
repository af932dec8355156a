"""The first rule of the gate, by which old evidence is judged again."""

from __future__ import annotations

from typing import Any

import pytest

from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseOutcome
from promptbench.gate.evidence import rejudge
from promptbench.gate.first_rule import FirstPair
from promptbench.gate.policy import Policy
from tests.gate.kit import CANDIDATE, CHAMPION, MODEL, Cases, attempts, guards, infos
from tests.gate.test_evidence import part, proof_of

PASS8, FAIL8 = "+" * 8, "-" * 8


def outcome(champion: str, candidate: str, *, deterministic: bool = False) -> CaseOutcome:
    cases = {"a": (champion, candidate)}
    table = AttemptMatrix(attempts(cases))
    [found] = FirstPair(table, CHAMPION, CANDIDATE, MODEL, infos(cases), Policy(), deterministic).outcomes()
    return found.outcome


@pytest.mark.parametrize(
    ("champion", "candidate", "expected"),
    [
        # Fixed: seven of eight, and surely better than the champion's tries.
        (FAIL8, PASS8, CaseOutcome.FIXED),
        (FAIL8, "+++++++-", CaseOutcome.FIXED),
        ("--++----", "+++++++-", CaseOutcome.FIXED),
        ("--+++---", "+++++++-", CaseOutcome.STILL_FAILING),
        ("--+++---", PASS8, CaseOutcome.FIXED),
        ("--++++--", PASS8, CaseOutcome.FIXED),
        (FAIL8, "++++++--", CaseOutcome.STILL_FAILING),
        (FAIL8, FAIL8, CaseOutcome.STILL_FAILING),
        # Reproduced: in at least half of eight.
        ("--++++--", FAIL8, CaseOutcome.STILL_FAILING),
        ("--+++++-", PASS8, CaseOutcome.NOT_REPRODUCED),
        ("--+++++-", FAIL8, CaseOutcome.NOT_REPRODUCED),
        # A failure in the screen makes a target in two of three.
        ("+--+++++", PASS8, CaseOutcome.NOT_REPRODUCED),
        ("-++", "+++", CaseOutcome.FLAKY),
        # Broken: at most half, where the champion passes four of five, and surely so.
        ("+" * 11, "-+-+-+-+-+-", CaseOutcome.BROKEN),
        ("+" * 11, "--+++++----", CaseOutcome.BROKEN),
        ("+" * 11, "--++++++---", CaseOutcome.UNSTABLE),
        ("++-++++++++", "--++++-----", CaseOutcome.BROKEN),
        ("++-+++++++-", "--+++------", CaseOutcome.BROKEN),
        ("++-+++++++-", "--++++-----", CaseOutcome.UNSTABLE),
        ("++-+++++-+-", "-----------", CaseOutcome.UNSTABLE),
        # Suspicious, but it holds from nine of eleven.
        ("+" * 11, "-++++++++-+", CaseOutcome.FLAKY),
        ("+" * 11, "-+++++++--+", CaseOutcome.UNSTABLE),
        # So does what flakes in production as much.
        ("++-++--++--", "-+++++---++", CaseOutcome.FLAKY),
        ("++-++---+--", "-+++++-----", CaseOutcome.FLAKY),
        ("++-++---+--", "-++++------", CaseOutcome.UNSTABLE),
        ("+++", "+++", CaseOutcome.STILL_PASSING),
        ("xxx", "+++", CaseOutcome.NO_ANSWER),
        ("+++", "xxx", CaseOutcome.NO_ANSWER),
    ],
)
def test_outcomes(champion: str, candidate: str, expected: CaseOutcome) -> None:
    assert outcome(champion, candidate) is expected


def test_one_attempt_is_the_fact_on_a_deterministic_model() -> None:
    assert outcome("+", "-", deterministic=True) is CaseOutcome.BROKEN
    assert outcome("-", "+", deterministic=True) is CaseOutcome.FIXED


@pytest.mark.parametrize(
    ("champion", "candidate", "complete"),
    [
        ("+++", "+x+", True),
        ("+++", "++", False),
        ("+++", "++-", False),
        ("+" * 11, "++-" + "x" * 8, True),
        ("---", "+++", False),
        (FAIL8, PASS8, True),
        ("+++:rrr", "+++:ree", False),
    ],
)
def test_complete(champion: str, candidate: str, complete: bool) -> None:
    cases = {"a": (champion, candidate)}
    table = AttemptMatrix(attempts(cases))
    what = (table, CHAMPION, CANDIDATE, MODEL, infos(cases), Policy())
    assert FirstPair(*what).is_complete is complete


FIXED: Cases = {"t": (FAIL8, PASS8), "u": ("+" * 11, "-++++++++--"), **guards(3, "+++")}
UNPROVEN: Cases = {"t": (FAIL8, "+++++---"), **guards(3, "+++")}
BROKEN: Cases = {"t": (FAIL8, PASS8), "b": ("+" * 11, "-----+++++-"), **guards(3, "+++")}
CLEAN_FIX: dict[str, Any] = {"fixed": 1, "still passing": 3}


@pytest.mark.parametrize(
    ("cases", "critical", "result", "figures"),
    [
        (FIXED, "", "PASS", {"fixed": 1, "still passing": 3, "unstable": 1}),
        (FIXED, "u", "INCONCLUSIVE", {"fixed": 1, "still passing": 3, "unstable": 1}),
        (UNPROVEN, "", "INCONCLUSIVE", {"still failing": 1, "still passing": 3}),
        (BROKEN, "", "FAIL", {"fixed": 1, "broken": 1, "still passing": 3}),
        ({"t": (FAIL8, FAIL8)}, "", "FAIL", {"still failing": 1}),
    ],
)
def test_evidence_without_a_version_of_its_rule_is_judged_by_the_first(
    cases: Cases, critical: str, result: str, figures: dict[str, int]
) -> None:
    proof = proof_of(part(cases, critical=critical, rule=1))
    [suite] = proof["suites"]
    assert "rule" not in suite
    assert (suite["result"], suite["models"][0]["flips"]) == (result, figures)
    assert rejudge(proof) == []
    suite["rule"] = 2
    assert rejudge(proof) != []
    suite["rule"] = 3
    with pytest.raises(ValueError, match="rule 3"):
        rejudge(proof)


def test_it_excludes_what_stable_guards_exclude() -> None:
    [model] = proof_of(part(FIXED, rule=1))["suites"][0]["models"]
    assert [(bound["clusters"], round(bound["breaks"], 3)) for bound in model["bounds"]] == [(3, 0.632)]
