"""Cases that belong together count as one."""

from __future__ import annotations

import pytest

from promptbench.gate.attempt_matrix import AttemptCell
from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome, ComparedCase, clustered, clusters, discordant
from promptbench.gate.margin import MarginTest
from promptbench.gate.policy import NO_CORRECTION
from tests.gate.kit import guards, judged

PASSED, FAILED = 3, 1


def item(
    name: str, flip: CaseOutcome = CaseOutcome.STILL_PASSING, cluster: str = "", marks: str = "+++"
) -> ComparedCase:
    cell = AttemptCell(bytes(PASSED if mark == "+" else FAILED for mark in marks))
    return ComparedCase(CaseInfo(name, cluster=cluster), flip, AttemptCell(bytes([PASSED] * len(marks))), cell)


def names(found: list[list[ComparedCase]]) -> list[list[str]]:
    return [[case.case.name for case in cluster] for cluster in found]


def test_a_case_without_a_cluster_stands_for_itself() -> None:
    cases = [item("a", cluster="t"), item("b"), item("c", cluster="t"), item("t")]
    assert names(clusters(cases)) == [["a", "c"], ["b"], ["t"]]
    assert clustered(cases)
    assert not clustered([item("a", cluster="t"), item("t"), item("u", cluster="v")])


def test_a_cluster_is_better_or_worse_once() -> None:
    states = [
        item("a", CaseOutcome.FIXED, "one"),
        item("b", CaseOutcome.FIXED, "one"),
        item("c", CaseOutcome.BROKEN, "two"),
        item("d", CaseOutcome.FIXED, "two"),
        item("e", CaseOutcome.BROKEN),
    ]
    assert discordant(states) == (1, 1)


def test_a_margin_counts_clusters() -> None:
    """Twelve clusters of five guards: no more is known than of twelve guards."""
    alone = MarginTest([item(str(n)) for n in range(12)], 0.25, NO_CORRECTION, 3)
    five = MarginTest([item(f"{n} {m}", cluster=str(n)) for n in range(12) for m in range(5)], 0.25, NO_CORRECTION, 3)
    assert five.p == alone.p
    assert five.holds
    assert five.difference == alone.difference
    nine = MarginTest([item(f"{n} {m}", cluster=str(n)) for n in range(9) for m in range(9)], 0.25, NO_CORRECTION, 3)
    assert not nine.holds
    assert nine.open() == "margin 25 % needs 2 more passing cases of other clusters"


def test_one_unstable_guard_makes_its_cluster_unstable() -> None:
    steady = [item(f"{n} {m}", cluster=str(n)) for n in range(93) for m in range(2)]
    wavering = [item("w 1", CaseOutcome.UNSTABLE, "0"), item("w 2", CaseOutcome.UNSTABLE, "0")]
    assert len(MarginTest([*steady, *wavering], 0.05, NO_CORRECTION, 3).unsteady) == 1


def test_the_difference_is_the_mean_within_a_cluster() -> None:
    found = MarginTest([item("a", cluster="t", marks="--+"), item("b", cluster="t"), item("c")], 0.05, NO_CORRECTION, 3)
    assert found.difference.count == 2
    assert found.difference.total == pytest.approx(-1 / 3)


@pytest.mark.parametrize(
    ("together", "said"),
    [
        ({}, "broken 0 of 30 passing cases; that excludes a break rate above 10 %, 29 more would"),
        (
            {f"g{n}": f"talk {n % 9}" for n in range(1, 31)},
            "broken 0 of 30 passing cases in 9 clusters; that excludes a break rate above 28 %, 20 more clusters would",
        ),
    ],
)
def test_what_is_said(together: dict[str, str], said: str) -> None:
    verdict = judged({"t": ("-", "+"), **guards(30)}, deterministic=True, together=together)
    assert said in verdict.sentence
