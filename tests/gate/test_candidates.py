from __future__ import annotations

import json
from typing import Any

import pytest

from promptbench.core.canonical import canonical
from promptbench.core.types import Attempt
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.candidates import judge_candidates
from promptbench.gate.evidence import SuiteProof, evidence, rejudge
from promptbench.gate.judge import GatedModel, Mode, Result, Verdict
from promptbench.gate.policy import HolmCorrection, Policy
from tests.gate.kit import CHAMPION, MODEL, Cases, attempts, guards, infos

PASS8, FAIL8 = "+" * 8, "-" * 8
SURE: Cases = {"t": ("----++++", PASS8), **guards(9, "+++")}
"""A fix with p = .038: 8 of 8 tries against 4 of 8."""
SURER: Cases = {"t": ("----++++", PASS8), "s": (FAIL8, PASS8), **guards(9, "+++")}
NOT: Cases = {"t": ("----++++", "----++++"), **guards(9, "+++")}


def made(*candidates: Cases) -> list[Attempt]:
    found = {}
    for number, cases in enumerate(candidates):
        for attempt in attempts(cases, variants=(CHAMPION, f"sha256:c{number}")):
            found[attempt.key] = attempt
    return list(found.values())


def judged(*candidates: Cases, champion: str | None = CHAMPION, **policy: Any) -> list[Verdict]:
    return judge_candidates(
        AttemptMatrix(made(*candidates)),
        champion=champion,
        candidates=[f"sha256:c{number}" for number in range(len(candidates))],
        models=[GatedModel(MODEL, deterministic=False)],
        cases=infos(candidates[0]),
        policy=Policy(**policy),
        asked_all=True,
    )


def test_one_candidate_is_not_corrected() -> None:
    [verdict] = judged(SURE)
    assert verdict.result is Result.PASS
    assert "Holm" not in verdict.sentence
    assert verdict.holm == HolmCorrection()
    assert verdict.models[0].p == pytest.approx(0.0385, abs=5e-5)


def test_a_fix_that_is_sure_alone_is_not_among_three() -> None:
    verdicts = judged(SURE, NOT, NOT)
    assert [verdict.result for verdict in verdicts] == [Result.INCONCLUSIVE, Result.FAIL, Result.FAIL]
    assert verdicts[0].sentence == (
        "INCONCLUSIVE: no fix is significant among 3 candidates: p = 0.038, needed 0.017; at these rates "
        "'repeats: 10' would decide (fixed 1 of 1 failing case; Holm over 3 candidates)"
    )
    assert verdicts[0].holm == HolmCorrection(3, 0.05 / 3)


def test_a_surer_fix_makes_room_for_the_next_one() -> None:
    """Two candidates: the surer one is held to .025, and passes; then the other one, with p = 2 × .0128, to .05."""
    half = {"t": ("-----+++", PASS8), **guards(9, "+++")}
    both, one = {"s": (FAIL8, PASS8), **half}, {"s": (FAIL8, FAIL8), **half}
    verdicts = judged(one, both)
    assert judged(one, {"s": (FAIL8, FAIL8), "t": ("-----+++", FAIL8)})[0].result is Result.INCONCLUSIVE
    assert [verdict.result for verdict in verdicts] == [Result.PASS, Result.PASS]
    assert [verdict.holm.level for verdict in verdicts] == [0.05, 0.025]
    assert all(verdict.sentence.endswith("; Holm over 2 candidates") for verdict in verdicts)


def test_of_mandatory_fixes_the_least_sure_counts() -> None:
    assert judged(SURER, NOT, NOT)[0].result is Result.PASS
    verdict = judged(SURER, NOT, NOT, fixed="all")[0]
    assert verdict.result is Result.INCONCLUSIVE
    assert "no fix is significant" in verdict.sentence


def test_bounds_are_of_the_candidates_own_level() -> None:
    """59 guards exclude 5 % with 95 % confidence, and among two candidates the better one needs 97.5 %."""
    fix: Cases = {"s": (FAIL8, PASS8)}
    other: Cases = {"s": (FAIL8, FAIL8), **guards(59, "+++")}
    assert judged({**fix, **guards(59, "+++")}, margin=0.05)[0].result is Result.PASS
    verdict = judged({**fix, **guards(59, "+++")}, other, margin=0.05)[0]
    assert verdict.sentence == (
        "INCONCLUSIVE: margin 5 % needs 13 more passing cases (fixed 1 of 1 failing case; Holm over 2 candidates)"
    )
    verdict = judged({**fix, **guards(73, "+++")}, {"s": (FAIL8, FAIL8), **guards(73, "+++")}, margin=0.05)[0]
    assert "(margin 5 %: lower bound −3.8 points, at most 4.9 % broken, at 97.5 % confidence)" in verdict.sentence
    assert verdict.sentence.endswith("; Holm over 2 candidates")


def test_what_is_in_production_already_is_no_candidate_among_others() -> None:
    verdicts = judged(SURE, NOT, champion="sha256:c1")
    assert [verdict.mode for verdict in verdicts] == [Mode.CHAMPION, Mode.SAME]
    assert verdicts[0].holm == HolmCorrection()


def test_first_versions_are_not_tested_against_anything() -> None:
    assert [verdict.holm for verdict in judged(SURE, SURE, champion=None)] == [HolmCorrection(), HolmCorrection()]


@pytest.mark.parametrize(("candidates", "level"), [(1, 0.025), (3, 0.02), (3, 1.0), (2, 0.05 / 3), (0, 0.05)])
def test_there_is_no_such_level(candidates: int, level: float) -> None:
    with pytest.raises(ValueError, match="no level"):
        HolmCorrection(candidates, level)


def proof(verdict: Verdict, *candidates: Cases) -> dict[str, Any]:
    part = SuiteProof(
        suite="s",
        path="p",
        run="r",
        suite_hash="",
        checks_hash="",
        policy=Policy(),
        models=[GatedModel(MODEL, deterministic=False)],
        cases=infos(candidates[0]),
        verdict=verdict,
        returned_models={},
    )
    made_of = evidence("triage", [(part, made(*candidates))], tool="", made="")
    return json.loads(canonical(made_of))  # type: ignore[no-any-return]


def test_the_proof_says_among_how_many() -> None:
    verdicts = judged(SURE, NOT, NOT)
    found = proof(verdicts[0], SURE, NOT, NOT)
    assert found["suites"][0]["holm"] == {"candidates": 3, "level": 0.05 / 3}
    assert rejudge(found) == []
    found["suites"][0]["holm"] = {"candidates": 3, "level": 0.05}
    assert rejudge(found) == ["suite s: recorded INCONCLUSIVE, judged again PASS"]
    found["suites"][0]["holm"]["level"] = 0.5
    with pytest.raises(ValueError, match="no level"):
        rejudge(found)


def test_the_proof_of_one_candidate_is_as_it_was() -> None:
    assert "holm" not in proof(judged(SURE)[0], SURE)["suites"][0]
