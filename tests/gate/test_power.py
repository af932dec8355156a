from __future__ import annotations

import random

import pytest

from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseOutcome, compare_cases, needed_repeats
from promptbench.gate.policy import CRITICAL_REPEATS, Policy, TagPolicy
from promptbench.gate.power import PassRate, PowerForecast, detection, guards_for
from tests.gate.kit import CANDIDATE, CHAMPION, MODEL, attempts, infos


def test_a_halved_case_is_found_broken_about_half_of_the_time() -> None:
    found = detection(3)
    assert found.broken == pytest.approx(0.4819, abs=5e-5)
    # Unseen is what passes the first three, and what holds in nine of eleven all the same.
    assert 1 - found.broken - found.unstable == pytest.approx(1 / 8 + (3 + 3 * 8 + 3) / 2**11, abs=1e-12)


@pytest.mark.parametrize(("repeats", "rate"), [(3, 0.5), (3, 0.8), (5, 0.3), (1, 0.0), (10, 0.6)])
def test_as_the_gate_does_it(repeats: int, rate: float) -> None:
    """Against the gate itself, on cases that answer by chance."""
    chance, policy, draws = random.Random(1), Policy(repeats=repeats), 600
    tries = {
        f"c{n}": ("+" * (repeats + 8), "".join("-+"[chance.random() < rate] for _ in range(repeats + 8)))
        for n in range(draws)
    }
    cases = infos(tries)
    first = {name: (theirs[:repeats], mine[:repeats]) for name, (theirs, mine) in tries.items()}
    asked = {
        want.case for want in needed_repeats(AttemptMatrix(attempts(first)), CHAMPION, CANDIDATE, MODEL, cases, policy)
    }
    table = AttemptMatrix(attempts({name: tries[name] if name in asked else first[name] for name in tries}))
    states = compare_cases(table, CHAMPION, CANDIDATE, MODEL, cases, deterministic=False, policy=policy)
    found = detection(repeats, rate)
    for flip, probability in ((CaseOutcome.BROKEN, found.broken), (CaseOutcome.UNSTABLE, found.unstable)):
        share = sum(item.outcome is flip for item in states) / draws
        assert share == pytest.approx(probability, abs=4 * (0.25 / draws) ** 0.5)


@pytest.mark.parametrize(("margin", "unsteady", "guards"), [(0.05, 0, 59), (0.05, 1, 93), (0.1, 0, 29), (0.4, 0, 10)])
def test_guards_for_a_margin(margin: float, unsteady: int, guards: int) -> None:
    assert guards_for(margin, unsteady) == guards


def test_why_critical_cases_are_asked_so_often() -> None:
    """The figures that the policy and the guide name."""
    held = {
        (repeats, rate): round(found.broken + found.unstable, 2)
        for repeats in (3, CRITICAL_REPEATS)
        for rate in (0.5, 0.7)
        if (found := detection(repeats, rate))
    }
    assert held == {(3, 0.5): 0.86, (3, 0.7): 0.53, (8, 0.5): 0.99, (8, 0.7): 0.87}
    assert max(detection(repeats).broken for repeats in range(1, 30)) < 0.61


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
            "82 % of runs, in 93 % with 93 cases or with 'repeats: 9'",
        ),
        (
            105,
            PassRate(0.9, "2026-11-24"),
            "if production passes 90 % of tries, as in the calibration of 2026-11-24, a harmless change keeps it in "
            "1 % of runs, and only more reliable cases would help",
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
