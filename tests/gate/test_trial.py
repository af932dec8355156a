"""The rule of the gate, as a function of the tries alone."""

from __future__ import annotations

import random
from math import pi

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.gate.trial import BROKEN, CONFIRM, RETEST, SCREEN, Trial, Tries, fixed_by_discovery_rate, level
from promptbench.stats.exact import simes

RETESTED, CONFIRMED = SCREEN + RETEST, SCREEN + RETEST + CONFIRM


def case(name: str, production: str, candidate: str, **options: bool) -> Tries:
    marks = {"+": True, "-": False, "x": None}
    return Tries(name, [marks[m] for m in production], [marks[m] for m in candidate], **options)


def steady(name: str, passes: bool = True, tries: int = SCREEN) -> Tries:
    mark = "+" if passes else "-"
    return case(name, mark * tries, mark * tries)


def test_levels_add_up_to_five_percent() -> None:
    assert level(1) == pytest.approx(0.05 * 6 / pi**2)
    assert sum(map(level, range(1, 100_000))) == pytest.approx(0.05, rel=1e-4)


def test_cases_that_always_pass_need_their_screen_only() -> None:
    trial = Trial.of([steady("a"), steady("b")])
    assert (trial.wants, trial.targets, trial.lost, trial.p_spread) == ({}, [], False, 1.0)
    assert Trial.of([case("a", "++", "+++")]).wants == {"a": SCREEN}


@pytest.mark.parametrize(
    ("production", "candidate", "wanted"),
    [("---", "---", True), ("--+", "+++", True), ("+-+", "+++", False), ("+++", "++-", True), ("xxx", "---", False)],
)
def test_what_is_tried_again_after_the_screen(production: str, candidate: str, wanted: bool) -> None:
    # Many cases that both prompts sometimes fail keep the spread from being suspect.
    others = [case(f"o{n}", "++-", "++-") for n in range(10)] + [case(f"p{n}", "+-+", "+++") for n in range(9)]
    trial = Trial.of([case("a", production, candidate), *others])
    assert trial.p_first_spread > 0.3
    assert trial.wants.get("a") == (RETESTED if wanted else None)
    assert "p0" not in trial.wants


def test_a_suspect_spread_tries_again_what_only_production_failed() -> None:
    worse = [case(f"w{n}", "+++", "+--") for n in range(4)]
    assert "a" in Trial.of([case("a", "+-+", "+++"), *worse]).wants


def test_a_case_that_never_passes_again_is_broken() -> None:
    lost = case("b", "+" * CONFIRMED, "-" * CONFIRMED)
    assert Trial.of([case("b", "+" * RETESTED, "-" * RETESTED)]).wants == {"b": CONFIRMED}
    [found] = Trial.of([lost]).cases
    assert (found.broken, found.unstable, found.uncleared) == (True, False, True)


def test_fresh_tries_alone_decide_on_a_break() -> None:
    """Failing all of screen and retest counts for nothing once the confirmation passes."""
    cleared = case("b", "+" * CONFIRMED, "-" * RETESTED + "+" * CONFIRM)
    [found] = Trial.of([cleared]).cases
    assert (found.doubtful, found.broken, found.unstable, found.uncleared) == (True, False, False, False)


def test_among_many_doubtful_cases_a_weak_loss_is_unstable() -> None:
    """Five failures of 24 have p = .025, which is enough alone, and six of 24, p = .011, too little among five."""
    doubtful = "-" * RETESTED
    cleared = [case(f"c{n}", "+" * CONFIRMED, doubtful + "+" * CONFIRM) for n in range(4)]
    weak = case("w", "+" * CONFIRMED, doubtful + "-" * 6 + "+" * (CONFIRM - 6))
    alone, among = Trial.of([weak]), Trial.of([weak, *cleared])
    assert alone.cases[0].broken
    assert (among.cases[0].broken, among.cases[0].unstable) == (False, True)
    assert among.cases[0].loss.p_worse * 5 > BROKEN


def test_a_loss_that_is_spread_thinly_is_found() -> None:
    thin = "++-" + "+" * 11 + "-"
    tries = [case(f"g{n}", "+" * RETESTED, thin) for n in range(30)]
    trial = Trial.of(tries)
    assert not trial.wants
    assert trial.lost
    assert not any(item.broken or item.doubtful for item in trial.cases)
    assert not Trial.of([case(f"g{n}", thin, thin) for n in range(30)]).maybe_lost


def test_a_fix_is_proven_by_the_retest() -> None:
    trial = Trial.of([case("t", "-" * RETESTED, "+" * RETESTED), steady("g")])
    assert not trial.wants
    assert (trial.fix_proven, trial.cases[0].fixed, trial.cases[0].reproduced) == (True, True, True)


def test_the_screen_is_no_proof_of_a_fix() -> None:
    """The three failures that made the case a target are not counted again."""
    trial = Trial.of([case("t", "---" + "-+" * 6, "+++" + "-+" * 6)])
    assert not trial.wants
    assert (trial.fix_proven, trial.cases[0].reproduced, trial.p_fixed) == (False, True, 1.0)


def test_a_promising_fix_is_tried_further() -> None:
    open_ = "-" * 3 + "----++++++++", "+" * 3 + "-+++++++++++"
    assert Trial.of([case("t", *open_)]).wants == {"t": CONFIRMED}
    trial = Trial.of([case("t", open_[0] + "-" * 12 + "+" * 12, open_[1] + "+" * CONFIRM)])
    assert trial.fix_proven
    assert not Trial.of([case("t", open_[0] + "-+" * 12, open_[1] + "-+" * 12)]).fix_proven


def test_a_later_look_needs_more() -> None:
    tries = [case("t", "---" + "-" * 7 + "+" * 5, "+" * RETESTED)]
    first, later = Trial.of(tries, looks=(1,)), Trial.of(tries, looks=(5,))
    assert (first.fix_proven, first.wants) == (True, {})
    assert (later.fix_proven, later.wants) == (False, {"t": CONFIRMED})
    assert Trial.of(tries, share=0.05).wants == {"t": CONFIRMED}


def test_what_has_to_be_fixed_needs_its_own_p() -> None:
    good = case("a", "-" * RETESTED, "+" * RETESTED)
    weak = ("---" + "-" * 6 + "+" * 6, "+++" + "+" * 10 + "--")
    assert Trial.of([good, case("m", *weak)]).wants == {}
    assert Trial.of([good, case("m", *weak, must=True)]).wants == {"a": CONFIRMED, "m": CONFIRMED}


def test_watched_cases_get_twice_the_tries_whatever_they_show() -> None:
    assert Trial.of([case("a", "+++", "+++", watched=True)]).wants == {"a": SCREEN + 2 * CONFIRM}
    tries = "+" * (SCREEN + 2 * CONFIRM)
    hidden = case("a", tries, "+++" + "++-+-+--" * 6, watched=True)
    assert Trial.of([hidden]).cases[0].broken


def test_a_continuation_pools_what_stood_in_the_way() -> None:
    passes = "+" * (CONFIRMED + CONFIRM)
    unlucky = "---" + "+" * RETEST + "-" * 6 + "+" * (CONFIRM - 6)
    once = Trial.of([case("b", passes, unlucky)])
    assert once.cases[0].broken
    again = Trial.of([case("b", passes[:CONFIRMED], unlucky)], looks=(1, 2))
    assert again.wants == {"b": CONFIRMED + CONFIRM}
    # No verdict sticks: production fails as many of the next tries.
    cleared = Trial.of([case("b", passes[:CONFIRMED] + "-" * 6 + "+" * 18, unlucky + "+" * CONFIRM)], looks=(1, 2))
    assert not cleared.wants
    assert not cleared.cases[0].broken
    assert not cleared.cases[0].unstable


def test_a_continuation_that_nothing_stood_in_the_way_of_needs_nothing() -> None:
    fixed = case("t", "-" * RETESTED, "+" * RETESTED)
    assert Trial.of([fixed, steady("g")], looks=(1, 2)).wants == {}


def test_a_shard_tries_whatever_the_whole_may_need() -> None:
    tries = [case("t", "-" * RETESTED, "+" * RETESTED), case("a", "+-+", "+++"), case("b", "+-+", "++-")]
    assert Trial.of(tries).wants == {"b": RETESTED}
    assert Trial.of(tries, part=True).wants == {"a": RETESTED, "b": RETESTED}
    whole = [tries[0], *(case(n, "+-+" + "+" * RETEST, "+++" + "+" * RETEST) for n in "ab")]
    assert Trial.of(whole, part=True).wants == {"t": CONFIRMED}


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.2))
def test_any_is_named_exactly_where_simes_proves_one(p: list[float], bound: float) -> None:
    named = fixed_by_discovery_rate(p, bound)
    assert any(named) == (simes(p) <= bound) or abs(simes(p) - bound) < 1e-12
    assert all(p[i] <= max((p[j] for j, on in enumerate(named) if on), default=-1) for i, on in enumerate(named) if on)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_the_course_ends_and_follows_from_the_tries_alone(seed: int) -> None:
    dice = random.Random(seed)
    names = [f"c{n}" for n in range(12)]
    rates = {name: (dice.choice((0.0, 0.5, 0.9, 1.0)), dice.choice((0.0, 0.5, 0.9, 1.0))) for name in names}
    tries: dict[str, tuple[list[bool | None], list[bool | None]]] = {name: ([], []) for name in names}
    looks = tuple(range(1, dice.randint(1, 3) + 1))
    for _ in range(3 * len(looks) + 2):
        trial = Trial.of([Tries(name, *tries[name]) for name in names], looks)
        if not trial.wants:
            break
        for name, count in trial.wants.items():
            for side, rate in zip(tries[name], rates[name], strict=True):
                side.extend(None if dice.random() < 0.02 else dice.random() < rate for _ in range(count - len(side)))
    assert not trial.wants
    longer = [Tries(name, [*a, True, False], [*b, False, True]) for name, (a, b) in tries.items()]
    same = Trial.of(longer, looks)
    assert [(c.broken, c.unstable, c.fixed) for c in same.cases] == [
        (c.broken, c.unstable, c.fixed) for c in trial.cases
    ]
    assert (same.p_spread, same.p_fixed, same.fix_proven) == (trial.p_spread, trial.p_fixed, trial.fix_proven)
