from __future__ import annotations

import random

import pytest

from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome, PromptPair
from promptbench.gate.false_alarms import independent_draws, simulate_run
from promptbench.gate.policy import Policy, TagPolicy
from promptbench.gate.power import PassRate, PowerForecast, detection, guards_for


@pytest.mark.parametrize(("repeats", "rate", "power"), [(3, 0.5, 0.87), (3, 0.7, 0.55), (8, 0.5, 1.0), (8, 0.7, 0.82)])
def test_the_figures_that_the_guide_names(repeats: int, rate: float, power: float) -> None:
    assert detection(repeats, rate).broken == pytest.approx(power, abs=0.005)


@pytest.mark.parametrize(("repeats", "rate"), [(3, 0.5), (3, 0.8), (5, 0.3), (1, 0.0)])
def test_as_the_gate_does_it(repeats: int, rate: float) -> None:
    """One case at a time, since several doubtful ones share a level."""
    chance, policy, draws, broken = random.Random(1), Policy(repeats=repeats), 300, 0
    draw = independent_draws({"p": {"a": 1.0}, "c": {"a": rate}}, chance)
    for _ in range(draws):
        cases = [CaseInfo("a")]
        what = (simulate_run(draw, "p", ["c"], "m", cases, policy), "p", "c", "m", cases, policy)
        broken += PromptPair(*what).outcomes()[0].outcome is CaseOutcome.BROKEN
    assert broken / draws == pytest.approx(detection(repeats, rate).broken, abs=4 * (0.25 / draws) ** 0.5)


@pytest.mark.parametrize(("margin", "unsteady", "guards"), [(0.05, 0, 59), (0.05, 1, 93), (0.1, 0, 29), (0.4, 0, 10)])
def test_guards_for_a_margin(margin: float, unsteady: int, guards: int) -> None:
    assert guards_for(margin, unsteady) == guards


def test_outlooks() -> None:
    assert list(PowerForecast.of(29, Policy(), deterministic=True).lines()) == [
        "if 29 cases hold, a break rate above 10 % is excluded, with 30 more above 5 %",
        "the model is deterministic: each case runs once, and every break is seen",
    ]
    assert PowerForecast.of(400, Policy(), deterministic=True).missing == 0
    assert PowerForecast.of(9, Policy(margin=0.05), deterministic=False).missing == 50


@pytest.mark.parametrize(
    ("cases", "passing", "said"),
    [
        (
            105,
            PassRate(),
            "if production passes 98 % of tries (`promptbench suite calibrate` measures it), a harmless change keeps "
            "it in 97 % of runs",
        ),
        (
            80,
            PassRate(0.98, "2026-11-24"),
            "if production passes 98 % of tries, as in the calibration of 2026-11-24, a harmless change keeps it in "
            "87 % of runs, in 93 % with 90 cases or with 'repeats: 5'",
        ),
        (
            105,
            PassRate(0.9, "2026-11-24"),
            "if production passes 90 % of tries, as in the calibration of 2026-11-24, a harmless change keeps it in "
            "35 % of runs, in 93 % with 'repeats: 12'",
        ),
    ],
)
def test_what_a_margin_takes(cases: int, passing: PassRate, said: str) -> None:
    outlook = PowerForecast.of(cases, Policy(margin=0.05), deterministic=False, passing=passing)
    first, second, *_ = outlook.lines()
    assert first == "margin 5 % needs 59 stable passing cases, 93 if one is unstable"
    assert second == said


def test_the_margin_of_a_tag_is_about_its_own_cases() -> None:
    policy = Policy(tags={"refunds": TagPolicy(margin=0.1), "other": TagPolicy(floor=0.9)})
    outlook = PowerForecast.of(60, policy, deterministic=True, tagged={"refunds": 12, "other": 3})
    assert outlook.missing == 17
    assert list(outlook.lines())[:2] == [
        "margin 10 % of 'refunds' needs 29 stable passing cases, 46 if one is unstable: at least 17 more cases",
        "if 60 cases hold, a break rate above 5 % is excluded, with 89 more above 2 %",
    ]
