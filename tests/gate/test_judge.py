from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from promptbench.core.errors import Exit
from promptbench.core.types import Outcome
from promptbench.core.words import percent
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.judge import GatedModel, Mode, Result, Verdict, judge
from promptbench.gate.policy import Policy, TagPolicy
from tests.gate.kit import CANDIDATE, CHAMPION, MODEL, Cases, attempts, guards, infos, judged

PASS, FAIL = "+" * 15, "-" * 15
# A case that only the screen made doubtful, with a confirmation that leaves it so or clears it.
CONFIRMED, DOUBT = "+" * 39, "---" + "+" * 12
HALF = "---" + "-" * 6 + "+" * 6
FIXES = {"t1": ("-", "+"), "t2": ("-", "+")}
"""Targets on a deterministic model."""

SENTENCES: dict[str, tuple[Cases, dict[str, object], str]] = {
    "fixed, nine guards": (
        {**FIXES, **guards(9)},
        {"deterministic": True},
        "PASS: fixed 2 of 2 failing cases, broken 0 of 9 passing cases; that excludes a break rate "
        "above 28 %, 20 more would exclude 10 %",
    ),
    "twenty-nine guards": (
        {**FIXES, **guards(29)},
        {"deterministic": True},
        "PASS: fixed 2 of 2 failing cases, broken 0 of 29 passing cases; that excludes a break rate "
        "above 10 %, 30 more would exclude 5 %",
    ),
    "all guards there could be": (
        {**FIXES, **guards(300)},
        {"deterministic": True},
        "PASS: fixed 2 of 2 failing cases, broken 0 of 300 passing cases; that excludes a break rate above 1 %",
    ),
    "one failure stays": (
        {"t1": ("-", "+"), "t2": ("-", "-"), **guards(1)},
        {"deterministic": True},
        "PASS: fixed 1 of 2 failing cases, broken 0 of 1 passing case; that excludes a break rate "
        "above 95 %, 28 more would exclude 10 %",
    ),
    "no guards": (
        FIXES,
        {"deterministic": True},
        "PASS: fixed 2 of 2 failing cases, no passing cases, so nothing is known about what it may break",
    ),
    "nothing to fix": (
        guards(9),
        {"deterministic": True},
        "PASS: nothing to fix, broken 0 of 9 passing cases; that excludes a break rate above 28 %, "
        "20 more would exclude 10 %",
    ),
    "nothing fixed": (
        {"t1": ("-", "-"), "t2": ("-", "-"), **guards(9)},
        {"deterministic": True},
        "FAIL: none of the 2 failing cases is fixed; `gate: fixed: any` needs one",
    ),
    "one failure, not fixed": (
        {"t1": ("-", "-")},
        {"deterministic": True},
        "FAIL: the failing case is not fixed; `gate: fixed: any` needs it",
    ),
    "a break": (
        {**FIXES, **guards(8), "b": ("+", "-")},
        {"deterministic": True},
        "FAIL: 1 case broken: 'b' (fixed 2 of 2 failing cases)",
    ),
    "many breaks": (
        {f"b{n}": ("+", "-") for n in range(5)},
        {"deterministic": True},
        "FAIL: 5 cases broken: 'b0', 'b1', 'b2' and 2 more (nothing to fix)",
    ),
    "critical stays": (
        {**FIXES, "c": ("-", "-"), **guards(9)},
        {"deterministic": True, "critical": "c"},
        "FAIL: 1 case still failing but must be fixed (`tags: [critical]`): 'c' (fixed 2 of 3 failing cases)",
    ),
    "fixed: all": (
        {**FIXES, "c": ("-", "-"), "d": ("-", "-"), **guards(9)},
        {"deterministic": True, "fixed": "all"},
        "FAIL: 2 cases still failing but must be fixed (`gate: fixed: all`): 'c', 'd' (fixed 2 of 4 failing cases)",
    ),
    "a fall on the ladder": (
        {"t1": ("-:n", "+:r"), "g1": ("+:r", "+:e")},
        {"deterministic": True},
        "FAIL: answers of 1 case need more repair than before: 'g1' (fixed 1 of 1 failing case)",
    ),
    "below the format floor": (
        {"t1": ("-:n", "+:r"), "t2": ("-:n", "-:n"), **guards(8, "+:r")},
        {"deterministic": True},
        "FAIL: 90 % of answers are valid JSON; `gate: format floor` needs 95 % (fixed 1 of 2 failing cases)",
    ),
    "just below the format floor": (
        {"t1": ("-:n", "+:r"), "t2": ("-:n", "-:n"), **guards(16, "+:r")},
        {"deterministic": True, "format_floor": 0.945},
        "FAIL: 94.4 % of answers are valid JSON; `gate: format floor` needs 94.5 % (fixed 1 of 2 failing cases)",
    ),
    "format is told": (
        {"t1": ("-:n", "+:r"), **guards(1, "+:r")},
        {"deterministic": True},
        "PASS: fixed 1 of 1 failing case, broken 0 of 1 passing case; that excludes a break rate "
        "above 95 %, 28 more would exclude 10 %; 100 % of answers are valid JSON",
    ),
    "everything at once": (
        {"c": ("-:r", "-:n"), "b": ("+:r", "-:n"), "g": ("+:r", "+:r")},
        {"deterministic": True, "critical": "c"},
        "FAIL: 1 case broken: 'b'; 33 % of answers are valid JSON; `gate: format floor` needs 95 %; "
        "answers of 1 case need more repair than before: 'c'; 1 case still failing but must be "
        "fixed (`tags: [critical]`): 'c' (fixed 0 of 1 failing case)",
    ),
    "reproduced and fixed": (
        {"t1": (FAIL, PASS), "t2": (HALF, HALF), **guards(9, "+++")},
        {},
        "PASS: fixed 1 of 2 failing cases, broken 0 of 9 passing cases; that excludes a break rate above 28 "
        "%, 20 more would exclude 10 %; mean change +9.1 points (95 % interval −21.6 to +37.0)",
    ),
    "not reproduced": (
        {"t1": ("---" + "+" * 12, PASS), **guards(9, "+++")},
        {},
        "PASS: nothing to fix, 1 failure not reproduced, broken 0 of 9 passing cases; that excludes a break "
        "rate above 28 %, 20 more would exclude 10 %; mean change +10.0 points (95 % interval −23.9 to +40.5)",
    ),
    "nothing is sure": (
        {"t1": ("---" + "+" * 12, PASS), "t2": ("---" + "+" * 12, "---" + "+" * 12)},
        {},
        "INCONCLUSIVE: no case passes or fails reliably in production, so nothing can be compared; "
        "add cases that do (nothing to fix, 2 failures not reproduced)",
    ),
    "no fix is proven": (
        {"t1": (FAIL, "+++" + "+" + "-" * 11), "t2": (FAIL, FAIL), **guards(9, "+++")},
        {},
        "INCONCLUSIVE: no fix is proven: 't1' passes 1 of 12 tries, 0 of 12 in production (p = 0.500), 't2' passes 0 "
        "of 12 tries, 0 of 12 in production (p = 1.000); a better prompt would be needed (fixed 0 of 2 failing cases)",
    ),
    "a promising fix is not proven": (
        {"t1": (HALF + "-+" * 12, "+++" + "+" * 10 + "--" + "-+" * 12), **guards(9, "+++")},
        {},
        "INCONCLUSIVE: no fix is proven: 't1' passes 22 of 36 tries, 18 of 36 in production (p = 0.239); more"
        " tries decide (fixed 0 of 1 failing case)",
    ),
    "a fix counts, whatever else improved": (
        {"t1": (FAIL, PASS), "t2": (FAIL, "---++" + "-" * 10)},
        {},
        "PASS: fixed 1 of 2 failing cases, no passing cases, so nothing is known about what it may break; "
        "mean change +50.0 points (95 % interval −100.0 to +100.0)",
    ),
    "a break that repeats": (
        {"t1": (FAIL, PASS), "b": (CONFIRMED, DOUBT + "-" * 8 + "+" * 16), **guards(8, "+++")},
        {},
        "FAIL: 1 case broken: 'b' (fixed 1 of 1 failing case)",
    ),
    "possibly broken": (
        {"t1": (FAIL, PASS), "u": (CONFIRMED, DOUBT + "-" * 4 + "+" * 20), **guards(9, "+++")},
        {},
        "PASS: fixed 1 of 1 failing case, broken 0 of 10 passing cases, 1 possibly broken: 'u'; that excludes"
        " a break rate above 39 %, 36 more would exclude 10 %; mean change +0.0 points (95 % interval −34.3 "
        "to +34.3)",
    ),
    "cleared": (
        {"t1": (FAIL, PASS), "u": (CONFIRMED, DOUBT + "-" + "+" * 23), **guards(9, "+++")},
        {},
        "PASS: fixed 1 of 1 failing case, broken 0 of 10 passing cases; that excludes a break rate above 26 "
        "%, 19 more would exclude 10 %; mean change +0.0 points (95 % interval −34.3 to +34.3)",
    ),
    "unstable among many doubts": (
        {
            "u": (CONFIRMED, DOUBT + "-" * 6 + "+" * 18),
            **{f"c{n}": (CONFIRMED, DOUBT + "+" * 24) for n in range(4)},
            # Production fails as much elsewhere, so the spread is not suspect.
            **{f"o{n}": ("+-+", "+++") for n in range(20)},
        },
        {},
        "INCONCLUSIVE: 1 case unstable, which means possibly broken: 'u' passes 18 of 24 tries, 24 of 24 in "
        "production; more tries decide (nothing to fix)",
    ),
    "spread over many cases": (
        {f"w{n}": (PASS, "++-" + "+" * 11 + "-") for n in range(30)},
        {},
        "FAIL: passing cases together pass less often: 67 % of tries, 100 % in production (p < 0.001) (nothing to fix)",
    ),
    "too few tries": (
        {"t1": ("---", "+++"), **guards(3, "+++")},
        {},
        "NO VERDICT: 1 case with too few tries for the next stage",
    ),
    "margin kept": (
        {**FIXES, **guards(59)},
        {"deterministic": True, "margin": 0.05},
        "PASS: fixed 2 of 2 failing cases, broken 0 of 59 passing cases (margin 5 %: lower bound "
        "−3.9 points, at most 5 % broken, at 95 % confidence)",
    ),
    "margin, too few guards": (
        {**FIXES, **guards(20)},
        {"deterministic": True, "margin": 0.05},
        "INCONCLUSIVE: margin 5 % needs 39 more passing cases (fixed 2 of 2 failing cases)",
    ),
    "margin, one guard too few": (
        {**FIXES, **guards(58)},
        {"deterministic": True, "margin": 0.05},
        "INCONCLUSIVE: margin 5 % needs 1 more passing case (fixed 2 of 2 failing cases)",
    ),
    "margin, no guards": (
        FIXES,
        {"deterministic": True, "margin": 0.05},
        "INCONCLUSIVE: margin 5 % needs 59 more passing cases (fixed 2 of 2 failing cases)",
    ),
    "margin, fewer than ten guards": (
        # Nine clean guards exclude a break rate of 30 %, and are too few for a mean.
        {**FIXES, **guards(9)},
        {"deterministic": True, "margin": 0.3},
        "INCONCLUSIVE: margin 30 % needs 1 more passing case (fixed 2 of 2 failing cases)",
    ),
    "margin and a break": (
        {**FIXES, **guards(400), "b": ("+", "-")},
        {"deterministic": True, "margin": 0.05},
        "FAIL: 1 case broken: 'b' (fixed 2 of 2 failing cases)",
    ),
    "margin, some a little worse": (
        # The retests clear all five; their screens still cost 5/3 of 66, and take more guards to show.
        {"t1": (FAIL, PASS), **{f"w{n}": (PASS, "++-" + "+" * 12) for n in range(5)}, **guards(60, "+++")},
        {"margin": 0.05},
        "INCONCLUSIVE: margin 5 % needs 47 more passing cases (fixed 1 of 1 failing case)",
    ),
    "margin of a tag": (
        {**FIXES, **guards(60), **{f"h{n}": ("+", "+") for n in range(30)}},
        {"deterministic": True, "tags": {"t": TagPolicy(margin=0.1)}, "tagged": " ".join(f"h{n}" for n in range(30))},
        "PASS: fixed 2 of 2 failing cases, broken 0 of 90 passing cases (margin 10 % of 't': lower "
        "bound −7.5 points, at most 9.5 % broken, at 95 % confidence)",
    ),
    "margin of a tag, too few": (
        {**FIXES, **guards(60)},
        {"deterministic": True, "margin": 0.05, "tags": {"t": TagPolicy(margin=0.1)}, "tagged": "g1 g2"},
        "INCONCLUSIVE: margin 10 % of 't' needs 27 more passing cases (fixed 2 of 2 failing cases)",
    ),
    "below the floor of a tag": (
        {**FIXES, **guards(9), "s": ("-", "-")},
        {"deterministic": True, "tags": {"t": TagPolicy(floor=0.9)}, "tagged": "s t1 g1"},
        "FAIL: 67 % of answers to cases tagged 't' are correct; `gate: tags: t: floor` needs 90 % "
        "(fixed 2 of 3 failing cases)",
    ),
    "first version, below the floor of a tag": (
        {"a": ("", "+"), "b": ("", "+"), "c": ("", "+"), "d": ("", "+"), "e": ("", "-")},
        {"champion": None, "deterministic": True, "tags": {"t": TagPolicy(floor=0.9)}, "tagged": "e"},
        "FAIL: 0 % of answers to cases tagged 't' are correct; `gate: tags: t: floor` needs 90 %",
    ),
    "critical and promising": (
        {"t1": ("-" * 39, "+" * 39), "c": (HALF + "-+" * 12, "+++" + "+" * 10 + "--" + "-+" * 12), **guards(9, "+++")},
        {"critical": "c"},
        "INCONCLUSIVE: 1 failing case must be fixed, and that is not proven: 'c' passes 22 of 36 tries, 18 of"
        " 36 in production (p = 0.239); more tries decide (fixed 1 of 2 failing cases)",
    ),
    "critical and not promising": (
        {"t1": (FAIL, PASS), "c": (FAIL, FAIL), **guards(9, "+++")},
        {"critical": "c"},
        "FAIL: 1 case still failing but must be fixed (`tags: [critical]`): 'c' (fixed 1 of 2 failing cases)",
    ),
    "critical without an answer": (
        {"t1": ("-", "+"), "c": ("+", "x"), **guards(48)},
        {"deterministic": True, "critical": "c"},
        "INCONCLUSIVE: no answer for 'c', which is required; run it again (fixed 1 of 1 failing case)",
    ),
    "fixed: all without an answer": (
        {"t1": ("-", "+"), "c": ("-", "x"), **guards(48)},
        {"deterministic": True, "fixed": "all"},
        "INCONCLUSIVE: no answer for 'c', which is required; run it again (fixed 1 of 1 failing case)",
    ),
    "any case without an answer": (
        {"t1": ("-", "+"), "c": ("+", "x"), **guards(9)},
        {"deterministic": True},
        "PASS: fixed 1 of 1 failing case, broken 0 of 9 passing cases; that excludes a break rate "
        "above 28 %, 20 more would exclude 10 %; no answer for 'c'",
    ),
    "too many errors": (
        {"t1": ("-", "+"), "c": ("x", "x"), **guards(9)},
        {"deterministic": True},
        "NO VERDICT: 2 of 22 attempts got no answer from the provider",
    ),
    "stopped": (
        {**FIXES, **guards(9)},
        {"deterministic": True, "asked_all": False},
        "NO VERDICT: the run is not complete",
    ),
    "nothing at all": ({}, {}, "NO VERDICT: there is no answer to judge"),
    "first version": (
        {"a": ("", "+:r"), "b": ("", "+:r"), "c": ("", "+:r"), "d": ("", "+:r"), "e": ("", "-:r")},
        {"champion": None, "deterministic": True},
        "PASS: first version: 80 % of answers are correct, 100 % are valid JSON",
    ),
    "first version, nothing to read": (
        {"a": ("", "+")},
        {"champion": None, "deterministic": True},
        "PASS: first version: 100 % of answers are correct",
    ),
    "first version, too low": (
        {"a": ("", "+:r"), "b": ("", "-:n"), "c": ("", "-:n")},
        {"champion": None, "deterministic": True},
        "FAIL: 33 % of answers are valid JSON; `gate: format floor` needs 95 %; 33 % of answers are "
        "correct; `gate: answer floor` needs 80 %",
    ),
    "production against itself": (
        {"a": ("", "+:r")},
        {"champion": CANDIDATE, "deterministic": True},
        "PASS: nothing to promote, this is the prompt in production: 100 % of answers are correct, "
        "100 % are valid JSON",
    ),
    "production has become worse": (
        {"a": ("", "-:r"), "b": ("", "+:r")},
        {"champion": CANDIDATE, "deterministic": True},
        "FAIL: the prompt in production: 50 % of answers are correct; `gate: answer floor` needs 80 %",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SENTENCES)
def test_sentence(name: str) -> None:
    cases, options, sentence = SENTENCES[name]
    verdict = judged(cases, **options)  # type: ignore[arg-type]
    assert verdict.sentence == sentence
    assert sentence.startswith(verdict.result.value)
    [model] = verdict.models
    assert (model.result, model.sentence) == (verdict.result, verdict.sentence)
    assert bool(model.reasons) == (verdict.result is not Result.PASS)


def test_a_result_is_an_exit_code() -> None:
    assert {result: result.exit for result in Result} == {
        Result.PASS: Exit.YES,
        Result.FAIL: Exit.NO,
        Result.INCONCLUSIVE: Exit.INCONCLUSIVE,
        Result.NO_VERDICT: Exit.ENVIRONMENT,
    }


@pytest.mark.parametrize(
    ("clean", "errored", "result"),
    [(9, 1, Result.PASS), (9, 2, Result.NO_VERDICT), (98, 4, Result.PASS), (98, 5, Result.NO_VERDICT)],
)
def test_how_many_errors_a_verdict_bears(clean: int, errored: int, result: Result) -> None:
    lost = {f"x{n}": ("+", "x") for n in range(errored)}
    assert judged({**guards(clean), **lost}, deterministic=True).result is result


def test_errors_of_the_champion_count_too() -> None:
    assert judged({**guards(9), "x1": ("x", "+"), "x2": ("+", "x")}, deterministic=True).result is Result.NO_VERDICT


def test_tries_that_were_asked_for_a_failure_do_not_enter_a_share() -> None:
    """One target of two cases: its fifteen tries must not weigh more than the guard's three."""
    cases = {
        "t": (f"{FAIL}:{'n' * 15}", f"{PASS}:{'r' * 15}"),
        "u": ("+++:rrr", "+++:rrr"),
        "v": (f"{PASS}:{'r' * 15}", f"++-{'+' * 12}:rrn{'r' * 12}"),
    }
    after = judged(cases, format_floor=0.5)
    assert after.models[0].candidate.answers == 8 / 9
    assert after.models[0].candidate.format == 8 / 9
    assert after.models[0].candidate.attempts == 33
    assert after.models[0].champion is not None
    assert after.models[0].champion.answers == 6 / 9


def test_a_screen_full_of_chance_on_the_ladder_fails_nobody() -> None:
    """A prompt against its equal, whose answers need a repair in one of three: no break, no fall."""
    rungs = ("rre", "ree", "rer", "eer")
    more = "reer" * 3
    cases = {f"g{n}": (f"{PASS}:{rungs[n % 4]}{more}", f"{PASS}:{rungs[(n + 1) % 4]}{more}") for n in range(40)}
    assert judged(cases).result is Result.PASS


def test_mid_p_is_told_for_deterministic_models_only() -> None:
    cases = {**{f"t{n}": ("-", "+") for n in range(6)}, **guards(3)}
    [model] = judged(cases, deterministic=True).models
    assert model.mid_p == pytest.approx(1 / 64)
    [model] = judged({"t": (FAIL, PASS)}).models
    assert model.mid_p is None


def test_modes() -> None:
    cases = {"a": ("+", "+")}
    assert judged(cases, deterministic=True).mode is Mode.CHAMPION
    assert judged(cases, deterministic=True, champion=None).mode is Mode.INITIAL
    assert judged(cases, deterministic=True, champion=CANDIDATE).mode is Mode.SAME


def deterministic(table: AttemptMatrix, cases: Cases, models: Sequence[str] = (MODEL,), **options: Any) -> Verdict:
    return judge(
        table,
        candidate=CANDIDATE,
        models=[GatedModel(model, deterministic=True) for model in models],
        cases=infos(cases),
        policy=Policy(),
        **{"champion": CHAMPION, "asked_all": True, **options},
    )


def several(*models: Cases) -> tuple[Result, str]:
    table = AttemptMatrix(attempt for n, cases in enumerate(models) for attempt in attempts(cases, f"local/m{n}"))
    verdict = deterministic(table, models[0] if models else {}, [f"local/m{n}" for n in range(len(models))])
    return verdict.result, verdict.sentence


def test_all_models_must_pass() -> None:
    good, bad = {"t": ("-", "+"), "g": ("+", "+")}, {"t": ("-", "+"), "g": ("+", "-")}
    result, sentence = several(good, good, good)
    assert result is Result.PASS
    assert sentence.endswith(" (on local/m0, and the same result on 2 more)")
    assert several(good, bad, good) == (
        Result.FAIL,
        "FAIL: 1 case broken: 'g' (fixed 1 of 1 failing case) (on local/m1)",
    )


def test_no_answer_from_one_model_is_no_verdict() -> None:
    good, dead = {"t": ("-", "+"), "g": ("+", "+")}, {"t": ("x", "x"), "g": ("x", "x")}
    result, sentence = several(good, {"t": ("-", "+"), "g": ("+", "-")}, dead)
    assert result is Result.NO_VERDICT
    assert sentence.endswith("(on local/m2)")


def test_no_model_is_no_verdict() -> None:
    assert several() == (Result.NO_VERDICT, "NO VERDICT: no model uses the prompt")


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "–"), (0.0, "0 %"), (1.0, "100 %"), (0.999, "99 %"), (0.001, "1 %"), (0.284, "28 %"), (0.5, "50 %")],
)
def test_percent_rounds_no_blemish_away(share: float | None, shown: str) -> None:
    assert percent(share) == shown


def from_cache(cases: Cases, champion: int, candidate: int, *, asked_all: bool = True) -> Verdict:
    """The verdict where so many attempts of each side, those at the first cases, have their answers from the cache."""
    left = {CHAMPION: champion, CANDIDATE: candidate}
    table = AttemptMatrix()
    for attempt in attempts(cases):
        kept = attempt.outcome is not Outcome.ERRORED and left[attempt.key.variant] > 0
        left[attempt.key.variant] -= kept
        table.add(replace(attempt, tries=0) if kept else attempt)
    return deterministic(table, cases, asked_all=asked_all)


BETTER: Cases = {**FIXES, **guards(2)}
WORSE: Cases = {**FIXES, "b": ("+", "-")}


@pytest.mark.parametrize("cases", [BETTER, WORSE])
@pytest.mark.parametrize(("champion", "candidate"), [(1, 0), (0, 1), (3, 2)])
def test_an_answer_from_the_cache_proves_nothing_either_way(cases: Cases, champion: int, candidate: int) -> None:
    verdict = from_cache(cases, champion, candidate)
    count = champion + candidate
    came = f"{count} of {2 * len(cases)} answers came from the cache and {'proves' if count == 1 else 'prove'} nothing"
    assert verdict.sentence == f"INCONCLUSIVE: {came}; the same command without --cache decides"
    assert (verdict.result, verdict.result.exit) == (Result.INCONCLUSIVE, Exit.INCONCLUSIVE)
    assert [(model.result, model.reasons) for model in verdict.models] == [(Result.INCONCLUSIVE, (came,))]
    usual = from_cache(cases, 0, 0)
    assert usual.result in (Result.PASS, Result.FAIL)
    assert verdict.models[0].cases == usual.models[0].cases


def test_no_verdict_stays_none_whatever_came_from_the_cache() -> None:
    assert from_cache(BETTER, 1, 1, asked_all=False).result is Result.NO_VERDICT
    assert from_cache({"a": ("x", "x"), "b": ("x", "+")}, 0, 1).result is Result.NO_VERDICT


def test_an_answer_from_the_cache_on_one_model_leaves_all_open() -> None:
    table = AttemptMatrix()
    for n, cases in enumerate((BETTER, WORSE)):
        for attempt in attempts(cases, f"local/m{n}"):
            table.add(replace(attempt, tries=0) if n == 0 else attempt)
    verdict = deterministic(table, {**BETTER, **WORSE}, ["local/m0", "local/m1"])
    assert verdict.sentence.startswith("INCONCLUSIVE: 8 of 14 answers came from the cache and prove nothing; ")
    assert {model.result for model in verdict.models} == {Result.INCONCLUSIVE}


@pytest.mark.parametrize("champion", [None, CANDIDATE])
def test_floors_are_not_judged_on_the_cache_either(champion: str | None) -> None:
    cases = dict.fromkeys(("a", "b"), ("", "+"))
    table = AttemptMatrix(replace(attempt, tries=0) for attempt in attempts(cases))
    verdict = deterministic(table, cases, champion=champion)
    assert verdict.sentence.startswith("INCONCLUSIVE: 2 of 2 answers came from the cache and prove nothing")


def test_other_prompts_and_models_may_come_from_the_cache() -> None:
    table = AttemptMatrix(attempts(BETTER))
    for others in (attempts(BETTER, "python/own.py:f"), attempts(BETTER, MODEL, ("", "sha256:other"))):
        for attempt in others:
            table.add(replace(attempt, tries=0))
    verdict = deterministic(table, BETTER)
    assert verdict.result is Result.PASS
