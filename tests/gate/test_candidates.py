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
from promptbench.gate.trial import level
from tests.gate.kit import CHAMPION, MODEL, Cases, attempts, guards, infos

PASS, FAIL, GUARDS = "+" * 15, "-" * 15, guards(9, "+++")
# Production passes so many of the 12 tries of the retest.
SIX, FIVE = ("---" + "+" * n + "-" * (12 - n) for n in (6, 5))
SURE: Cases = {"t": (SIX + "+" * 24, PASS + "+" * 24), **GUARDS}
"""A fix with p = .007 on the retest; twice that is less than the level of one look and more than a third of it."""
NOT: Cases = {"t": (SIX + "+" * 24, SIX + "+" * 24), **GUARDS}


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
    # Two looks at the smaller p, in proportion to the level of the first look.
    assert verdict.models[0].p == pytest.approx(2 * 0.006865 * 0.05 / level(1), rel=1e-3)


def test_a_fix_that_is_sure_alone_is_not_among_three() -> None:
    verdicts = judged(SURE, NOT, NOT)
    assert [verdict.result for verdict in verdicts] == [Result.INCONCLUSIVE] * 3
    assert verdicts[0].sentence == (
        "INCONCLUSIVE: no fix is proven among 3 candidates: 't' passes 36 of 36 tries, 30 of 36 in production "
        "(p = 0.012); more tries decide (fixed 0 of 1 failing case; Holm over 3 candidates)"
    )
    assert verdicts[0].holm == HolmCorrection(3, 0.05 / 3)


def test_a_surer_fix_makes_room_for_the_next_one() -> None:
    """Of two candidates the surer one needs a p of .025, and passes; then .05 is left for the other one."""
    surer: Cases = {"t": (FIVE + "+" * 24, PASS + "+" * 24), **GUARDS}
    sure: Cases = {"t": (FIVE + "+" * 24, "+" * 14 + "-" + "+" * 24), **GUARDS}
    alone = judged(sure, {"t": (FIVE + "+" * 24, FIVE + "+" * 24), **GUARDS})[0]
    assert (alone.result, alone.holm.level) == (Result.INCONCLUSIVE, 0.025)
    verdicts = judged(surer, sure)
    assert [verdict.result for verdict in verdicts] == [Result.PASS, Result.PASS]
    assert [verdict.holm.level for verdict in verdicts] == [0.025, 0.05]
    assert all(verdict.sentence.endswith("; Holm over 2 candidates") for verdict in verdicts)


def test_each_fix_that_is_mandatory_counts() -> None:
    both: Cases = {**SURE, "s": (FAIL, PASS)}
    neither: Cases = {**NOT, "s": (FAIL, FAIL)}
    assert judged(both, neither, neither)[0].result is Result.PASS
    assert judged(both, neither, neither, fixed="all")[0].result is Result.NO_VERDICT, "it takes more tries"


def test_bounds_are_of_the_candidates_own_level() -> None:
    """59 guards exclude 5 % with 95 % confidence, and among two candidates the better one needs 97.5 %."""
    fix: Cases = {"s": (FAIL, PASS)}
    other: Cases = {"s": (FAIL, FAIL), **guards(59, "+++")}
    assert judged({**fix, **guards(59, "+++")}, margin=0.05)[0].result is Result.PASS
    verdict = judged({**fix, **guards(59, "+++")}, other, margin=0.05)[0]
    assert verdict.sentence == (
        "INCONCLUSIVE: margin 5 % needs 13 more passing cases (fixed 1 of 1 failing case; Holm over 2 candidates)"
    )
    verdict = judged({**fix, **guards(73, "+++")}, {"s": (FAIL, FAIL), **guards(73, "+++")}, margin=0.05)[0]
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
    assert rejudge(found)[0] == "suite s: recorded INCONCLUSIVE, judged again PASS"
    found["suites"][0]["holm"]["level"] = 0.5
    with pytest.raises(ValueError, match="no level"):
        rejudge(found)


def test_the_proof_of_one_candidate_is_as_it_was() -> None:
    assert "holm" not in proof(judged(SURE)[0], SURE)["suites"][0]
