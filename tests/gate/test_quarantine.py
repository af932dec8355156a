"""A case in quarantine is asked and shown, and proves nothing."""

from __future__ import annotations

import pytest

from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseOutcome, PromptPair
from promptbench.gate.judge import Result
from promptbench.gate.policy import Policy, TagPolicy
from tests.gate.kit import CANDIDATE, CHAMPION, MODEL, Cases, attempts, guards, infos, judged

LATER, OVER = "2026-12-31", "2026-11-23"


@pytest.mark.parametrize("q", [("+", "-"), ("-", "+"), ("-", "-"), ("+:r", "-:n")])
def test_it_is_neither_target_nor_guard(q: tuple[str, str]) -> None:
    with_it = judged({"t": ("-", "+"), "q": q, **guards(9)}, deterministic=True, apart={"q": LATER})
    without = judged({"t": ("-", "+"), **guards(9)}, deterministic=True)
    assert with_it.sentence == without.sentence
    assert with_it.models[0].count(CaseOutcome.QUARANTINED) == 1
    [flip] = [item for item in with_it.models[0].cases if item.case.name == "q"]
    assert flip.candidate.total == 1
    assert not flip.fell


def test_it_enters_no_share_and_no_floor() -> None:
    cases = {"q": ("-:n", "-:n"), **guards(3, "+:r")}
    options = {"champion": None, "deterministic": True, "tagged": "q g1", "tags": {"t": TagPolicy(floor=1.0)}}
    assert judged(cases, **options).result is Result.FAIL
    passed = judged(cases, apart={"q": LATER}, **options)
    assert passed.sentence == "PASS: first version: 100 % of answers are correct, 100 % are valid JSON"


def test_it_is_not_tried_again() -> None:
    cases: Cases = {"q": ("+++", "---"), "b": ("+++", "---")}
    table = AttemptMatrix(attempts(cases))
    pair = PromptPair(table, CHAMPION, CANDIDATE, MODEL, infos(cases, apart={"q": LATER}), Policy())
    needed = pair.needed_tries()
    assert needed == {"b": 15}


SAID = "1 quarantine ended: 'q' on 2026-11-23; fix the case, or review it and set a later day"


def test_after_its_last_day_nothing_passes() -> None:
    cases = {"t": ("-", "+"), "q": ("+", "+"), **guards(9)}
    assert judged(cases, deterministic=True, apart={"q": "2026-11-24"}).result is Result.PASS
    ended = judged(cases, deterministic=True, apart={"q": OVER})
    assert ended.sentence == f"INCONCLUSIVE: {SAID} (fixed 1 of 1 failing case)"
    first = judged(cases, deterministic=True, apart={"q": OVER}, champion=None)
    assert first.sentence == f"INCONCLUSIVE: {SAID} (100 % of answers are correct)"


def test_what_is_broken_is_a_fail_all_the_same() -> None:
    cases = {"b": ("+", "-"), "q": ("+", "+"), **guards(9)}
    assert judged(cases, deterministic=True, apart={"q": OVER}).result is Result.FAIL
