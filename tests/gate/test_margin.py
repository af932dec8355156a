"""What would decide where it is open whether a margin is kept."""

from __future__ import annotations

import random

import pytest

from promptbench.gate.attempt_matrix import AttemptCell
from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome, ComparedCase
from promptbench.gate.margin import MarginTest
from promptbench.gate.policy import NO_CORRECTION

PASSED, FAILED = 3, 1


def cell(marks: str) -> AttemptCell:
    return AttemptCell(bytes(PASSED if mark == "+" else FAILED for mark in marks))


def guarded(
    *pairs: tuple[int, str, str], margin: float = 0.05, first: int = 3, flip: CaseOutcome = CaseOutcome.FLAKY
) -> MarginTest:
    """So many guards with the tries of production and of the candidate."""
    items = [
        ComparedCase(CaseInfo(f"{number}"), flip, cell(theirs), cell(ours))
        for number, (theirs, ours) in enumerate((theirs, ours) for count, theirs, ours in pairs for _ in range(count))
    ]
    return MarginTest(items, margin, NO_CORRECTION, first)


def test_more_repeats_decide_where_chance_is_what_widens_the_bound() -> None:
    found = guarded((70, "+++", "+++"), (16, "+++", "++-"), (10, "+-+", "+++"))
    assert not found.holds
    assert found.open() == "margin 5 % needs 41 more passing cases, or about 'repeats: 8'"


def test_they_do_not_where_cases_differ_by_themselves() -> None:
    """Two guards that surely got worse would do so in any number of tries."""
    found = guarded((90, "+++", "+++"), (2, "+++", "---"))
    assert found.missing is not None
    assert found.repeats is None
    assert guarded((9, "+++", "++-")).repeats is None, "too few guards"
    assert guarded((90, "+", "+"), (2, "+", "-"), first=1).repeats is None, "nothing is known of chance"


@pytest.mark.parametrize("rate", [0.9, 0.95])
def test_more_repeats_are_foreseen_without_bias(rate: float) -> None:
    """What nine tries would be, by three, beside nine tries; each as the mean of many draws."""
    dice = random.Random(4)

    def squares(tries: int, repeats: int) -> float:
        total = 0.0
        for _ in range(40):
            marks = ["".join("-+"[dice.random() < rate] for _ in range(tries)) for _ in range(300)]
            pairs = [(1, *pair) for pair in zip(marks[::2], marks[1::2], strict=True)]
            total += guarded(*pairs, first=tries).steadier(repeats).squares
        return total

    assert squares(3, 9) == pytest.approx(squares(9, 9), rel=0.1)
