from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import (
    CaseInfo,
    CaseOutcome,
    ComparedCase,
    NeededRepeats,
    compare_cases,
    is_complete,
    needed_repeats,
    passes_to_fix,
    passes_to_hold,
    repeats_to_fix,
)
from promptbench.gate.policy import Policy
from tests.gate.kit import CANDIDATE, CHAMPION, MODEL, attempts, infos

PASS8, FAIL8 = "+" * 8, "-" * 8


def flip(champion: str, candidate: str, *, deterministic: bool = False, **policy: int) -> ComparedCase:
    cases = {"a": (champion, candidate)}
    table = AttemptMatrix(attempts(cases))
    [found] = compare_cases(
        table, CHAMPION, CANDIDATE, MODEL, infos(cases), deterministic=deterministic, policy=Policy(**policy)
    )
    return found


def wants(champion: str, candidate: str, **policy: int) -> list[NeededRepeats]:
    cases = {"a": (champion, candidate)}
    return list(
        needed_repeats(AttemptMatrix(attempts(cases)), CHAMPION, CANDIDATE, MODEL, infos(cases), Policy(**policy))
    )


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
    assert flip(champion, candidate, deterministic=True).outcome is state


@pytest.mark.parametrize(
    ("champion", "candidate", "state"),
    [
        # Fixed: seven of eight, and surely better than the champion's tries.
        (FAIL8, PASS8, CaseOutcome.FIXED),
        (FAIL8, "+++++++-", CaseOutcome.FIXED),
        ("--++----", "+++++++-", CaseOutcome.FIXED),
        ("--+++---", "+++++++-", CaseOutcome.STILL_FAILING),
        ("--+++---", PASS8, CaseOutcome.FIXED),
        ("--++++--", PASS8, CaseOutcome.FIXED),
        (FAIL8, "++++++--", CaseOutcome.STILL_FAILING),
        (FAIL8, FAIL8, CaseOutcome.STILL_FAILING),
        # Reproduced: in at least half of eight.
        ("--++++--", FAIL8, CaseOutcome.STILL_FAILING),
        ("--+++++-", PASS8, CaseOutcome.NOT_REPRODUCED),
        ("--+++++-", FAIL8, CaseOutcome.NOT_REPRODUCED),
        # A failure in the screen makes a target in two of three.
        ("+--+++++", PASS8, CaseOutcome.NOT_REPRODUCED),
        ("-++", "+++", CaseOutcome.FLAKY),
        # Broken: at most half, where the champion passes four of five, and surely so.
        ("+" * 11, "-+-+-+-+-+-", CaseOutcome.BROKEN),
        ("+" * 11, "--+++++----", CaseOutcome.BROKEN),
        ("+" * 11, "--++++++---", CaseOutcome.UNSTABLE),
        ("++-++++++++", "--++++-----", CaseOutcome.BROKEN),
        ("++-+++++++-", "--+++------", CaseOutcome.BROKEN),
        ("++-+++++++-", "--++++-----", CaseOutcome.UNSTABLE),
        ("++-+++++-+-", "-----------", CaseOutcome.UNSTABLE),
        # Suspicious, but it holds from nine of eleven.
        ("+" * 11, "-++++++++-+", CaseOutcome.FLAKY),
        ("+" * 11, "-+++++++--+", CaseOutcome.UNSTABLE),
        # So does what flakes in production as much.
        ("++-++--++--", "-+++++---++", CaseOutcome.FLAKY),
        ("++-++---+--", "-+++++-----", CaseOutcome.FLAKY),
        ("++-++---+--", "-++++------", CaseOutcome.UNSTABLE),
        ("+++", "+++", CaseOutcome.STILL_PASSING),
        ("xxx", "+++", CaseOutcome.NO_ANSWER),
        ("+++", "xxx", CaseOutcome.NO_ANSWER),
    ],
)
def test_a_flip_must_repeat_on_any_other_model(champion: str, candidate: str, state: CaseOutcome) -> None:
    found = flip(champion, candidate)
    assert found.outcome is state
    assert found.target is (state in (CaseOutcome.FIXED, CaseOutcome.STILL_FAILING))
    assert found.guard is (
        state in (CaseOutcome.STILL_PASSING, CaseOutcome.FLAKY, CaseOutcome.BROKEN, CaseOutcome.UNSTABLE)
    )


@pytest.mark.parametrize(
    ("champion", "candidate", "asked"),
    [
        ("+++", "+++", None),
        ("-++", "+++", None),
        ("+++", "++-", 11),
        ("-++", "++-", 11),
        ("--+", "+++", 8),
        ("---", "---", 8),
        ("xxx", "---", None),
        ("---", "xxx", None),
        ("+xx", "+x-", 11),
        ("-xx", "+xx", 8),
        # More failures outside the screen change nothing about what is asked.
        ("+" * 11, "++-" + FAIL8, 11),
        # As many repairs as before, or more of them.
        ("+++:rrr", "+++:rre", None),
        ("+++:rrr", "+++:ree", 11),
        ("+++:eee", "+++:rrr", None),
    ],
)
def test_what_is_asked_again(champion: str, candidate: str, asked: int | None) -> None:
    expected = [NeededRepeats(CHAMPION, "a", asked), NeededRepeats(CANDIDATE, "a", asked)] if asked else []
    assert wants(champion, candidate) == expected


def test_a_long_screen_is_not_shortened() -> None:
    assert [want.repeats for want in wants("-" * 10, "+" * 10, repeats=10)] == [10, 10]
    assert [want.repeats for want in wants("+" * 10, "-" * 10, repeats=10)] == [18, 18]


def test_the_champion_is_not_asked_against_itself() -> None:
    table = AttemptMatrix(attempts({"a": ("---", ""), "b": ("++-", "")}))
    assert list(needed_repeats(table, CHAMPION, CHAMPION, MODEL, infos({"a": ("", ""), "b": ("", "")}), Policy())) == []


@pytest.mark.parametrize(
    ("champion", "candidate", "fell"),
    [("+:r", "+:e", True), ("+:e", "+:r", False), ("+:r", "+:r", False), ("-:n", "-:n", False), ("+", "+:e", False)],
)
def test_a_fall_on_the_ladder_is_a_fact_on_a_deterministic_model(champion: str, candidate: str, fell: bool) -> None:
    assert flip(champion, candidate, deterministic=True).fell is fell


@pytest.mark.parametrize(
    ("champion", "candidate", "fell"),
    [
        # Two of three are chance, until they repeat.
        ("+++:rrr", "+++:ree", False),
        ("+" * 11 + ":" + "r" * 11, "+" * 11 + ":" + "ree" + "r" * 8, False),
        ("+" * 11 + ":" + "r" * 11, "+" * 11 + ":" + "ree" + "e" * 8, True),
        ("+" * 11 + ":" + "r" * 5 + "e" * 6, "+" * 11 + ":" + "e" * 11, False),
        ("+" * 11 + ":" + "e" * 11, "+" * 11 + ":" + "r" * 11, False),
    ],
)
def test_a_fall_on_the_ladder_must_repeat_on_any_other_model(champion: str, candidate: str, fell: bool) -> None:
    assert flip(champion, candidate).fell is fell


@pytest.mark.parametrize(
    ("champion", "candidate", "improved"),
    [
        ("-" * 8, "+++++---", True),
        ("-" * 8, "++++----", False),
        ("++++----", "+++++---", True),
        ("++++++--", "+++++---", False),
    ],
)
def test_improved(champion: str, candidate: str, improved: bool) -> None:
    assert flip(champion, candidate).improved is improved


def test_what_would_decide() -> None:
    close = flip("--+++---", "+++++++-")
    assert (passes_to_fix(close), repeats_to_fix(close)) == (8, 16)
    assert flip("--++++++--------", "++++++++++++++--", repeats=16).outcome is CaseOutcome.FIXED
    far = flip(FAIL8, "++++++--")
    assert (passes_to_fix(far), repeats_to_fix(far)) == (7, None)
    shaky = flip("+" * 11, "-+++++++--+")
    assert passes_to_hold(shaky) == 9
    assert flip("+" * 13, "-" + "+" * 10 + "--", repeats=5).outcome is CaseOutcome.UNSTABLE
    assert passes_to_hold(flip("+" * 13, "-" + "+" * 9 + "---", repeats=5)) == 11
    assert flip("+" * 13, "-" + "+" * 11 + "-", repeats=5).outcome is CaseOutcome.FLAKY


def test_complete() -> None:
    def whole(champion: str, candidate: str, **options: bool) -> bool:
        cases = {"a": (champion, candidate), "b": ("+++", "+++")}
        table = AttemptMatrix(attempts(cases))
        deterministic = options.get("deterministic", False)
        return is_complete(
            table, CHAMPION, CANDIDATE, MODEL, infos(cases), deterministic=deterministic, policy=Policy()
        )

    assert whole("+++", "+x+")
    assert not whole("+++", "++")
    assert not whole("++", "+++")
    assert not whole("+++", "++-")
    assert whole("+" * 11, "++-" + "x" * 8)
    assert not whole("+" * 11, "++-" + FAIL8[1:])
    assert whole("+", "-", deterministic=True)
    assert not whole("", "-", deterministic=True)


def _open(table: AttemptMatrix, cases: list[CaseInfo], policy: Policy) -> Iterator[NeededRepeats]:
    for want in needed_repeats(table, CHAMPION, CANDIDATE, MODEL, cases, policy):
        if not table.cell(want.variant, MODEL, want.case).asked(want.repeats):
            yield want


@pytest.mark.parametrize("seed", range(8))
def test_the_rounds_end_and_ask_only_what_they_must(seed: int) -> None:
    """Champion and candidate with their own rates at every case, asked as the engine asks."""
    dice = random.Random(seed)
    rates = {f"c{n}": (dice.choice((0.0, 0.5, 0.9, 1.0)), dice.choice((0.0, 0.5, 0.9, 1.0))) for n in range(40)}
    policy, cases = Policy(), infos(dict.fromkeys(rates, ("", "")))
    tries: dict[str, tuple[str, str]] = dict.fromkeys(rates, ("", ""))

    def ask(name: str, side: int, count: int) -> None:
        written = list(tries[name])
        while len(written[side]) < count:
            written[side] += "x" if dice.random() < 0.01 else "+" if dice.random() < rates[name][side] else "-"
        tries[name] = (written[0], written[1])

    for name in rates:
        ask(name, 0, policy.repeats)
        ask(name, 1, policy.repeats)
    screens = dict(tries)
    rounds = 0
    while open_wants := list(_open(AttemptMatrix(attempts(tries)), cases, policy)):
        rounds += 1
        for want in open_wants:
            ask(want.case, (CHAMPION, CANDIDATE).index(want.variant), want.repeats)
    assert rounds == 1
    table = AttemptMatrix(attempts(tries))
    assert is_complete(table, CHAMPION, CANDIDATE, MODEL, cases, deterministic=False, policy=policy)
    for name, (champion, candidate) in tries.items():
        theirs, ours = screens[name]
        target = theirs.count("-") >= theirs.count("+")
        answered = set(theirs) & set("+-") and set(ours) & set("+-")
        expected = 3 if not answered else 8 if target else 11 if "-" in ours else 3
        assert (len(champion), len(candidate)) == (expected, expected), name
    for found in compare_cases(table, CHAMPION, CANDIDATE, MODEL, cases, deterministic=False, policy=policy):
        if rates[found.case.name] == (1.0, 1.0):
            assert found.outcome is CaseOutcome.STILL_PASSING
        if rates[found.case.name] == (0.0, 1.0):
            assert found.outcome is CaseOutcome.FIXED
        if rates[found.case.name] == (1.0, 0.0):
            assert found.outcome is CaseOutcome.BROKEN
