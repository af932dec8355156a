"""The gate's own false alarms, by the rates that were seen."""

from __future__ import annotations

from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.false_alarms import CaseRate, false_alarms, simulate_run, simulations_of
from promptbench.gate.policy import Policy


def test_cases_that_never_flake_raise_no_alarm() -> None:
    found = false_alarms([CaseRate(CaseInfo("a"), 22, 22), CaseRate(CaseInfo("b"), 0, 22)], Policy())
    assert (found.broken, found.fixed, found.unstable) == (0, 0, 0)
    assert found.interval(0)[1] < 0.004


def test_the_same_seed_gives_the_same() -> None:
    rates = [CaseRate(CaseInfo("a"), 15, 22), CaseRate(CaseInfo("b"), 8, 22)]
    one, other = (false_alarms(rates, Policy(), simulations=100) for _ in range(2))
    assert one == other
    assert one.broken < 15
    assert false_alarms(rates, Policy(), simulations=100, seed=1) != one


def test_a_quarantine_raises_no_alarm_and_a_critical_case_is_asked_more() -> None:
    apart = CaseRate(CaseInfo("a", review_by="2026-12-31"), 15, 22)
    assert false_alarms([apart], Policy(), simulations=50).unstable == 0
    table = simulate_run(_passes, "p", ["c"], "m", [CaseInfo("x", critical=True)], Policy(critical_repeats=8))
    assert table.cell("c", "m", "x").total == 8


def _passes(variant: str, case: str) -> bool:
    return True


def test_many_flaky_cases_are_drawn_less_often() -> None:
    assert [simulations_of(flaky) for flaky in (0, 1, 50, 100, 10_000)] == [1000, 1000, 1000, 500, 200]
