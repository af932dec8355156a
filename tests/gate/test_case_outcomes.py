"""Outcomes of cases, and what is tried again for them. The rule itself is tested in `test_trial`."""

from __future__ import annotations

import random

import pytest

from promptbench.core.types import Attempt, AttemptKey, FailedTry, FailureKind, Outcome
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseOutcome, ComparedCase, PromptPair
from promptbench.gate.policy import Policy
from promptbench.gate.trial import LookRecord
from tests.gate.kit import CANDIDATE, CHAMPION, MODEL, attempts, infos, judged

R, C = 12, 24
PASS, FAIL = "+" * 15, "-" * 15


def compared(
    champion: str, candidate: str, *, deterministic: bool = False, record: LookRecord | None = None, **policy: int
) -> ComparedCase:
    cases = {"a": (champion, candidate), "g": ("+++", "+++")}
    what = (AttemptMatrix(attempts(cases)), CHAMPION, CANDIDATE, MODEL, infos(cases), Policy(**policy))
    return PromptPair(*what, deterministic, record or LookRecord()).outcomes()[0]


def needed(champion: str, candidate: str, **policy: int) -> int | None:
    cases = {"a": (champion, candidate)}
    table = AttemptMatrix(attempts(cases))
    return PromptPair(table, CHAMPION, CANDIDATE, MODEL, infos(cases), Policy(**policy)).needed_tries().get("a")


@pytest.mark.parametrize(
    ("champion", "candidate", "state"),
    [
        ("-", "+", CaseOutcome.FIXED),
        ("-", "-", CaseOutcome.STILL_FAILING),
        ("+", "+", CaseOutcome.STILL_PASSING),
        ("+", "-", CaseOutcome.BROKEN),
        ("x", "+", CaseOutcome.NO_ANSWER),
        ("+", "x", CaseOutcome.NO_ANSWER),
        ("", "", CaseOutcome.NO_ANSWER),
    ],
)
def test_one_attempt_is_the_fact_on_a_deterministic_model(champion: str, candidate: str, state: CaseOutcome) -> None:
    assert compared(champion, candidate, deterministic=True).outcome is state


DOUBT = "---" + "+" * R


@pytest.mark.parametrize(
    ("champion", "candidate", "state"),
    [
        (FAIL, PASS, CaseOutcome.FIXED),
        ("---" + "-" * 6 + "+" * 6, PASS, CaseOutcome.FIXED),
        (FAIL, FAIL, CaseOutcome.STILL_FAILING),
        (FAIL, "---" + "++" + "-" * 10, CaseOutcome.STILL_FAILING),
        # Production passes most of the retest: what the screen showed does not repeat.
        ("---" + "+" * 7 + "-" * 5, "+++" + "+" * 7 + "-" * 5, CaseOutcome.NOT_REPRODUCED),
        (PASS + "+" * C, FAIL + "-" * C, CaseOutcome.BROKEN),
        (PASS + "+" * C, DOUBT + "-" * 6 + "+" * 18, CaseOutcome.BROKEN),
        (PASS + "+" * C, DOUBT + "+" * C, CaseOutcome.FLAKY),
        (PASS, "++-" + "+" * R, CaseOutcome.FLAKY),
        ("+++", "+++", CaseOutcome.STILL_PASSING),
        ("xxx", "+x-", CaseOutcome.NO_ANSWER),
    ],
)
def test_the_rule_decides_on_any_other_model(champion: str, candidate: str, state: CaseOutcome) -> None:
    found = compared(champion, candidate)
    assert found.outcome is state
    assert found.target is (state in (CaseOutcome.FIXED, CaseOutcome.STILL_FAILING))
    passing = (CaseOutcome.STILL_PASSING, CaseOutcome.FLAKY, CaseOutcome.BROKEN, CaseOutcome.UNSTABLE)
    assert found.guard is (state in passing)


def test_a_target_that_got_worse_is_broken_and_no_guard() -> None:
    half = "--+" + "+-" * 6 + "+-" * C
    found = compared(half, "-" * len(half), record=LookRecord(watched={MODEL: ["a"]}))
    assert (found.outcome, found.target, found.guard) == (CaseOutcome.BROKEN, True, False)


def test_without_enough_tries_the_outcome_is_what_most_say() -> None:
    assert compared("+++", "--+").outcome is CaseOutcome.BROKEN
    assert compared("--+", "+++").outcome is CaseOutcome.FIXED


def test_possibly_broken_is_what_is_neither_proven_nor_cleared() -> None:
    weak = PASS + "+" * C, DOUBT + "-" * 4 + "+" * 20
    found = compared(*weak)
    assert (found.outcome, found.doubtful) == (CaseOutcome.FLAKY, True)
    assert not compared(PASS + "+" * C, DOUBT + "-" + "+" * 23).doubtful


@pytest.mark.parametrize(
    ("champion", "candidate", "tries"),
    [
        ("+++", "+++", None),
        ("+++", "++-", 15),
        ("--+", "+++", 15),
        ("---", "---", 15),
        ("xxx", "--x", None),
        ("xxx", "---", 15),
        ("+xx", "+x-", 15),
        # A doubtful case, and a promising one.
        (PASS, DOUBT, 39),
        ("---" + "----++++++++", PASS, 39),
        # As many repairs as before, or more of them.
        ("+++:rrr", "+++:rre", None),
        ("+++:rrr", "+++:ree", 15),
        ("+++:eee", "+++:rrr", None),
        (PASS + ":" + "r" * 15, PASS + ":" + "e" * 15, None),
    ],
)
def test_what_is_tried_again(champion: str, candidate: str, tries: int | None) -> None:
    assert needed(champion, candidate) == tries


def test_a_long_screen_is_not_shortened() -> None:
    assert (needed("-" * 10, "+" * 10, repeats=10), needed("+" * 10, "-" * 10, repeats=10)) == (22, 22)


def test_the_champion_is_not_compared_with_itself() -> None:
    table = AttemptMatrix(attempts({"a": ("---", ""), "b": ("++-", "")}))
    cases = infos({"a": ("", ""), "b": ("", "")})
    assert PromptPair(table, CHAMPION, CHAMPION, MODEL, cases, Policy()).needed_tries() == {}


@pytest.mark.parametrize(
    ("champion", "candidate", "fell"),
    [("+:r", "+:e", True), ("+:e", "+:r", False), ("+:r", "+:r", False), ("-:n", "-:n", False), ("+", "+:e", False)],
)
def test_a_fall_on_the_ladder_is_a_fact_on_a_deterministic_model(champion: str, candidate: str, fell: bool) -> None:
    assert compared(champion, candidate, deterministic=True).fell is fell


@pytest.mark.parametrize(
    ("before", "after", "fell"),
    [
        ("r" * 15, "ree" + "r" * 12, False),
        ("r" * 15, "rre" + "e" * 12, False),
        ("r" * 15, "ree" + "e" * 12, True),
        ("r" * 15, "ree" + "e" * 6 + "r" * 6, True),
        ("r" * 15, "ree" + "e" * 3 + "r" * 9, False),
        ("rrr" + "e" * 12, "eee" + "e" * 12, False),
        ("e" * 15, "r" * 15, False),
    ],
)
def test_a_fall_on_the_ladder_must_repeat_on_any_other_model(before: str, after: str, fell: bool) -> None:
    """By the retest alone, since the screen chose the case."""
    assert compared(f"{PASS}:{before}", f"{PASS}:{after}").fell is fell


def test_complete() -> None:
    def whole(champion: str, candidate: str, *, deterministic: bool = False) -> bool:
        cases = {"a": (champion, candidate), "b": ("+++", "+++")}
        table = AttemptMatrix(attempts(cases))
        return PromptPair(table, CHAMPION, CANDIDATE, MODEL, infos(cases), Policy(), deterministic).is_complete

    assert whole("+++", "+x+")
    assert not whole("+++", "++")
    assert not whole("++", "+++")
    assert not whole("+++", "++-")
    assert whole(PASS, "++-" + "+" * 6 + "x" * 6)
    assert not whole(PASS, "++-" + "+" * 11)
    assert whole("+", "-", deterministic=True)
    assert not whole("", "-", deterministic=True)


def refused(kind: FailureKind, tries: int, case: str = "a", variant: str = CANDIDATE) -> list[Attempt]:
    failed = (FailedTry(kind, "no", 400, 1.0),)
    keys = (AttemptKey(variant, MODEL, case, k) for k in range(tries))
    return [Attempt(key, Outcome.ERRORED, "", failed_tries=failed) for key in keys]


@pytest.mark.parametrize(
    ("production", "tries", "outcome"),
    [
        ("+" * 39, 39, CaseOutcome.BROKEN),
        ("+++", 3, CaseOutcome.BROKEN),
        # Two tries are too few, and an outage of both sides says nothing about the prompt.
        ("++", 2, CaseOutcome.NO_ANSWER),
        ("+x+", 3, CaseOutcome.NO_ANSWER),
    ],
)
def test_an_answer_that_is_missing_on_one_side_each_time_is_a_failure(
    production: str, tries: int, outcome: CaseOutcome
) -> None:
    made = [*attempts({"a": (production, "")}), *refused(FailureKind.TRANSIENT, tries)]
    what = (AttemptMatrix(made), CHAMPION, CANDIDATE, MODEL, infos({"a": ("", "")}), Policy(repeats=min(3, tries)))
    [found] = PromptPair(*what).outcomes()
    assert found.outcome is outcome


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [(FailureKind.REJECTED, CaseOutcome.BROKEN), (FailureKind.TRANSIENT, CaseOutcome.NO_ANSWER)],
)
def test_on_a_deterministic_model_the_provider_must_have_rejected_it(kind: FailureKind, outcome: CaseOutcome) -> None:
    made = [*attempts({"a": ("+", "")}), *refused(kind, 1)]
    what = (AttemptMatrix(made), CHAMPION, CANDIDATE, MODEL, infos({"a": ("", "")}), Policy())
    [found] = PromptPair(*what, deterministic=True).outcomes()
    assert found.outcome is outcome


@pytest.mark.parametrize("rung", "regsn")
def test_answers_on_any_rung_are_no_refusals(rung: str) -> None:
    verdict = judged({"a": ("-" * 15, f"{'+' * 15}:{rung * 15}")}, format_floor=0.0)
    assert [case.outcome for case in verdict.models[0].cases] == [CaseOutcome.FIXED]


def test_what_production_alone_refuses_is_something_to_fix() -> None:
    made = [*attempts({"a": ("", PASS)}), *refused(FailureKind.REJECTED, 15, variant=CHAMPION)]
    what = (AttemptMatrix(made), CHAMPION, CANDIDATE, MODEL, infos({"a": ("", "")}), Policy())
    [found] = PromptPair(*what).outcomes()
    assert found.outcome is CaseOutcome.FIXED


@pytest.mark.parametrize("seed", range(4))
def test_the_rounds_end(seed: int) -> None:
    """Champion and candidate with their own rates at every case, called as the engine calls them."""
    dice = random.Random(seed)
    rates = {f"c{n}": (dice.choice((0.0, 0.5, 0.9, 1.0)), dice.choice((0.0, 0.5, 0.9, 1.0))) for n in range(40)}
    policy, cases = Policy(), infos(dict.fromkeys(rates, ("", "")))
    tries: dict[str, tuple[str, str]] = dict.fromkeys(rates, ("", ""))
    rounds, open_ones = 0, dict.fromkeys(rates, policy.repeats)
    while open_ones:
        rounds += 1
        for name, count in open_ones.items():
            made = [
                written + "".join("x" if dice.random() < 0.01 else "-+"[dice.random() < rate] for _ in range(missing))
                for written, rate in zip(tries[name], rates[name], strict=True)
                if (missing := count - len(written)) >= 0
            ]
            tries[name] = (made[0], made[1])
        table = AttemptMatrix(attempts(tries))
        pair = PromptPair(table, CHAMPION, CANDIDATE, MODEL, cases, policy)
        open_ones = pair.needed_tries()
    assert 2 <= rounds <= 4
    assert pair.is_complete
    for found in pair.outcomes():
        if rates[found.case.name] == (1.0, 1.0):
            assert found.outcome is CaseOutcome.STILL_PASSING
        if rates[found.case.name] == (0.0, 1.0):
            assert found.outcome is CaseOutcome.FIXED
        if rates[found.case.name] == (1.0, 0.0):
            assert found.outcome is CaseOutcome.BROKEN
