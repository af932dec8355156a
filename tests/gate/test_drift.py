"""What is in production, now and then."""

from __future__ import annotations

import pytest

from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.drift import DRIFT_LEVEL, Drift, drift
from promptbench.gate.judge import GatedModel, Result, Verdict, judge
from promptbench.gate.policy import Policy
from promptbench.stats.exact import mcnemar_mid_p
from tests.gate.kit import CANDIDATE, MODEL, Cases, attempts, guards, infos

SINCE = "promoted on 2026-11-01"


def changed(cases: Cases, **about: dict[str, str]) -> Drift | None:
    """For each case its tries then and now."""
    then, now = (
        AttemptMatrix(attempts({name: (both[side],) for name, both in cases.items()}, variants=(CANDIDATE,)))  # type: ignore[arg-type, misc]
        for side in (0, 1)
    )
    return drift(now, then, CANDIDATE, MODEL, infos(cases, **about), 3, SINCE)  # type: ignore[arg-type]


def test_one_try_a_case_is_mcnemars_test() -> None:
    """Its one-sided exact p is half of the two-sided mid-p, and half of the probability of what was seen."""
    found = changed({**{f"w{n}": ("+", "-") for n in range(7)}, "b": ("-", "+"), **guards(20)})
    assert found is not None
    assert (found.worse, found.better) == (7, 1)
    assert found.p == pytest.approx(mcnemar_mid_p(7, 1) / 2 + 8 / 2**8 / 2)
    assert (found.then, found.now) == (27 / 28, 21 / 28)


def test_seven_worse_and_none_better_are_clear() -> None:
    assert Drift(SINCE, 1.0, 0.9, worse=7, better=0).p == pytest.approx(2**-7)
    assert 2**-7 <= DRIFT_LEVEL < 2**-6
    assert not Drift(SINCE, 1.0, 0.9, worse=6, better=0).significant
    assert Drift(SINCE, 1.0, 1.0, worse=0, better=0).p == 1.0


def test_as_many_tries_of_both_are_compared() -> None:
    """An attempt without an answer takes one of the other side's with it; later rounds are not compared."""
    found = changed({"a": ("++-", "+x+"), "b": ("+++--------", "+++")})
    assert found == Drift(SINCE, 1.0, 1.0, worse=0, better=0)


def test_what_belongs_together_moves_once_and_quarantine_not_at_all() -> None:
    cases = {f"w{n}": ("+++", "---") for n in range(8)}
    together = changed(cases, together=dict.fromkeys(cases, "talk"))
    assert together is not None
    assert (together.worse, together.significant) == (1, False)
    apart = changed({**cases, "q": ("+++", "---")}, apart={"q": "2026-12-31"})
    assert apart is not None
    assert (apart.worse, apart.significant) == (8, True)


def test_other_cases_say_nothing() -> None:
    assert changed({"a": ("", "+++")}) is None


def nightly(worse: int, champion: str) -> Verdict:
    cases = guards(10)
    return judge(
        AttemptMatrix(attempts(cases, variants=("sha256:other", CANDIDATE))),
        champion=champion,
        candidate=CANDIDATE,
        models=[GatedModel(MODEL, deterministic=True)],
        cases=infos(cases),
        policy=Policy(),
        asked_all=True,
        drifts={MODEL: Drift(SINCE, 0.97, 0.91, worse, 0)},
    )


HOLDS = "PASS: nothing to promote, this is the prompt in production: 100 % of answers are correct; correct answers"
FELL = "91 % now, 97 % when promoted on 2026-11-01"


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        (8, f"FAIL: the prompt in production got worse: correct answers {FELL}, 8 worse and 0 better (p = 0.004)"),
        (2, f"{HOLDS} {FELL}, 2 worse and 0 better (p = 0.250)"),
        (0, f"{HOLDS} as when promoted on 2026-11-01"),
    ],
)
def test_the_nightly_verdict(worse: int, said: str) -> None:
    assert nightly(worse, CANDIDATE).sentence == said


def test_a_candidate_is_judged_beside_production_as_it_answers_now() -> None:
    assert nightly(8, "sha256:other").result is Result.PASS
