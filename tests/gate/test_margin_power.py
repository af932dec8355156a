"""The odds to keep a margin, beside runs that are drawn."""

from __future__ import annotations

import random
from math import sqrt

import pytest

from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.false_alarms import independent_draws, simulate_run
from promptbench.gate.judge import GatedModel, Result, judge
from promptbench.gate.policy import Policy
from promptbench.gate.power import TARGET_POWER, guards_to_keep, power_to_keep


@pytest.mark.parametrize(
    ("guards", "margin", "repeats", "rate"), [(40, 0.1, 3, 0.95), (30, 0.1, 3, 0.97), (30, 0.2, 3, 0.8)]
)
def test_as_the_gate_does_it(guards: int, margin: float, repeats: int, rate: float) -> None:
    """Within four standard errors, and three points for what the formula leaves out."""
    cases, runs = [CaseInfo(str(n)) for n in range(guards)], 80
    rates = dict.fromkeys((case.name for case in cases), rate)
    draw, policy = independent_draws({"p": rates, "c": rates}, random.Random(3)), Policy(margin=margin, repeats=repeats)
    passed = 0
    for _ in range(runs):
        verdict = judge(
            simulate_run(draw, "p", ["c"], "m", cases, policy),
            champion="p",
            candidate="c",
            models=[GatedModel("m", deterministic=False)],
            cases=cases,
            policy=policy,
            asked_all=True,
        )
        passed += verdict.result is Result.PASS
    odds = power_to_keep(guards, margin, repeats, rate)
    assert 0.3 < odds < 0.95
    assert passed / runs == pytest.approx(odds, abs=4 * sqrt(odds * (1 - odds) / runs) + 0.03)


def test_what_never_fails_takes_what_the_bounds_take() -> None:
    assert [power_to_keep(count, 0.05, 3, 1.0) for count in (9, 58, 59)] == [0.0, 0.0, 1.0]
    assert guards_to_keep(0.05, 3, 1.0) == 59


@pytest.mark.parametrize(("repeats", "rate"), [(1, 0.99), (3, 0.98), (5, 0.97)])
def test_one_guard_less_is_not_enough(repeats: int, rate: float) -> None:
    enough = guards_to_keep(0.05, repeats, rate)
    assert enough is not None
    assert power_to_keep(enough, 0.05, repeats, rate) >= TARGET_POWER > power_to_keep(enough - 1, 0.05, repeats, rate)


def test_what_no_number_of_guards_keeps() -> None:
    assert guards_to_keep(0.05, 3, 0.9) is None
