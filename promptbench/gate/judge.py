"""The decision, and its sentence.

One `Verdict` decides what is printed and the exit code. A candidate is judged on each model that uses the prompt and
passes only if it passes on all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from promptbench.core.errors import Exit
from promptbench.gate.flips import CaseFlip, CaseInfo, Flip, flips, passes_to_fix, passes_to_hold, repeats_to_fix
from promptbench.gate.policy import Policy
from promptbench.gate.table import Table
from promptbench.stats.exact import excluded_rate, guards_needed, mcnemar_mid_p

_MAX_ERRORED_SHARE = 0.02
_NAMED = 3


class Result(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_VERDICT = "NO VERDICT"

    @property
    def exit(self) -> Exit:
        return _EXITS[self]


_EXITS = {
    Result.PASS: Exit.YES,
    Result.FAIL: Exit.NO,
    Result.INCONCLUSIVE: Exit.INCONCLUSIVE,
    Result.NO_VERDICT: Exit.ENVIRONMENT,
}
WORST_FIRST = (Result.NO_VERDICT, Result.FAIL, Result.INCONCLUSIVE, Result.PASS)


class Mode(StrEnum):
    """Against what a candidate is judged."""

    CHAMPION = "champion"
    INITIAL = "initial"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Shares:
    """Of one prompt on one model: the share of attempts in [0, 1]; None where there is nothing to count.

    The shares are over the first round, since what was asked again was chosen for having failed; `attempts` and
    `errored` count everything.
    """

    answers: float | None
    format: float | None
    attempts: int
    errored: int

    @classmethod
    def of(cls, table: Table, variant: str, model: str, repeats: int) -> Shares:
        passes = total = well = read = attempts = errored = 0
        for _, cell in table.cells(variant, model):
            first = cell.first(repeats)
            passes += first.passes
            total += first.total
            well += first.well_formed
            read += first.read
            attempts += cell.total
            errored += cell.errored
        return cls(passes / total if total else None, well / read if read else None, attempts, errored)


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """The verdict on one model. `reasons` are what decided, the first one first."""

    model: str
    deterministic: bool
    result: Result
    sentence: str
    reasons: tuple[str, ...]
    flips: tuple[CaseFlip, ...]
    champion: Shares | None
    candidate: Shares
    mid_p: float | None = None

    def count(self, flip: Flip) -> int:
        return sum(item.flip is flip for item in self.flips)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one candidate."""

    candidate: str
    champion: str | None
    mode: Mode
    result: Result
    sentence: str
    models: tuple[ModelVerdict, ...]


@dataclass(frozen=True, slots=True)
class GatedModel:
    name: str
    deterministic: bool


def judge(
    table: Table,
    *,
    champion: str | None,
    candidate: str,
    models: Sequence[GatedModel],
    cases: Sequence[CaseInfo],
    policy: Policy,
    asked_all: bool,
) -> Verdict:
    """The verdict over what is in the table. `asked_all` tells whether every planned attempt was made.

    Where an answer came from the cache it is neither PASS nor FAIL: the same answer counted again is no evidence.
    """
    mode = Mode.INITIAL if champion is None else Mode.SAME if champion == candidate else Mode.CHAMPION
    judged = tuple(_judge_model(table, champion, candidate, model, cases, policy, mode, asked_all) for model in models)
    if not judged:
        sentence = "NO VERDICT: no model uses the prompt, so there is nothing to judge it on"
        return Verdict(candidate, champion, mode, Result.NO_VERDICT, sentence, ())
    cached = sum(
        table.cached(variant, model.name) for variant in {champion or candidate, candidate} for model in models
    )
    if cached and all(item.result is not Result.NO_VERDICT for item in judged):
        return _unproven(Verdict(candidate, champion, mode, Result.INCONCLUSIVE, "", judged), cached)
    worst = min(judged, key=lambda item: WORST_FIRST.index(item.result))
    sentence = worst.sentence
    if len(judged) > 1:
        agree = worst.result is Result.PASS
        sentence = f"{worst.sentence} (on {worst.model}{', and the same result' if agree else ''}"
        sentence += f" on {len(judged) - 1} more)" if agree else ")"
    return Verdict(candidate, champion, mode, worst.result, sentence, judged)


def _unproven(verdict: Verdict, cached: int) -> Verdict:
    """What is left of a verdict over answers of which so many came from the cache."""
    sides = (side for model in verdict.models for side in (model.champion, model.candidate) if side)
    proves = "proves" if cached == 1 else "prove"
    came = f"{cached} of {sum(side.attempts for side in sides)} answers came from the cache and {proves} nothing"
    sentence = f"INCONCLUSIVE: {came}; the same command without --cache decides"
    models = (replace(item, result=verdict.result, sentence=sentence, reasons=(came,)) for item in verdict.models)
    return replace(verdict, sentence=sentence, models=tuple(models))


def _judge_model(
    table: Table,
    champion: str | None,
    candidate: str,
    model: GatedModel,
    cases: Sequence[CaseInfo],
    policy: Policy,
    mode: Mode,
    asked_all: bool,
) -> ModelVerdict:
    ours = Shares.of(table, candidate, model.name, policy.repeats)
    theirs = None
    if champion and mode is Mode.CHAMPION:
        theirs = Shares.of(table, champion, model.name, policy.repeats)
    states: list[CaseFlip] = []
    mid_p = None
    invalid = _invalid(ours, theirs, asked_all)
    if invalid:
        result, sentence, reasons = Result.NO_VERDICT, f"NO VERDICT about the prompt: {invalid}", [invalid]
    elif mode is Mode.CHAMPION and champion is not None:
        states = flips(table, champion, candidate, model.name, cases, deterministic=model.deterministic, policy=policy)
        result, sentence, reasons = _against_champion(states, ours, policy, deterministic=model.deterministic)
        counts = Counter(item.flip for item in states)
        mid_p = mcnemar_mid_p(counts[Flip.FIXED], counts[Flip.BROKEN]) if model.deterministic else None
    else:
        result, sentence, reasons = _against_floors(ours, policy, mode)
    return ModelVerdict(
        model.name, model.deterministic, result, sentence, tuple(reasons), tuple(states), theirs, ours, mid_p
    )


def _invalid(ours: Shares, theirs: Shares | None, asked_all: bool) -> str | None:
    """Why the attempts allow no verdict at all, if so."""
    attempts = ours.attempts + (theirs.attempts if theirs else 0)
    errored = ours.errored + (theirs.errored if theirs else 0)
    if errored > max(1, _MAX_ERRORED_SHARE * (attempts + errored)):
        return f"{errored} of {attempts + errored} attempts got no answer from the provider"
    if not asked_all:
        return "the run is not complete"
    if not ours.attempts or (theirs and not theirs.attempts):
        return "there is no answer to judge"
    return None


def _floors(ours: Shares, policy: Policy, *, answers: bool) -> list[str]:
    found = []
    if ours.format is not None and ours.format < policy.format_floor:
        share, floor = _apart(ours.format, policy.format_floor)
        found.append(f"format {share} is below the floor of {floor}")
    if answers and ours.answers is not None and ours.answers < policy.answer_floor:
        share, floor = _apart(ours.answers, policy.answer_floor)
        found.append(f"answers {share} are below the floor of {floor}")
    return found


def _apart(one: float, other: float) -> tuple[str, str]:
    """Two different shares with as many digits as it takes to tell them apart."""
    if percent(one) != percent(other):
        return percent(one), percent(other)
    digits = next((d for d in range(1, 6) if f"{one * 100:.{d}f}" != f"{other * 100:.{d}f}"), 6)
    return f"{one * 100:.{digits}f} %", f"{other * 100:.{digits}f} %"


def _against_floors(ours: Shares, policy: Policy, mode: Mode) -> tuple[Result, str, list[str]]:
    below = _floors(ours, policy, answers=True)
    shares = f"answers {percent(ours.answers)}" + ("" if ours.format is None else f", format {percent(ours.format)}")
    if below:
        what = "the first version" if mode is Mode.INITIAL else "the prompt in production"
        return Result.FAIL, f"FAIL: {what} is below its floors: {'; '.join(below)}", below
    if mode is Mode.SAME:
        return Result.PASS, f"PASS: nothing to promote, this is the prompt in production, and it holds: {shares}", []
    return Result.PASS, f"PASS: the first version is above its floors: {shares}", []


def _against_champion(
    states: Sequence[CaseFlip], ours: Shares, policy: Policy, *, deterministic: bool
) -> tuple[Result, str, list[str]]:
    targets = [item for item in states if item.target]
    fixed = [item for item in targets if item.flip is Flip.FIXED]
    guards = [item for item in states if item.guard]
    failures = "failure" if deterministic else "reproduced failure"
    fixes = _fixes(states, targets, fixed, failures)
    against = _refusals(states, targets, fixed, guards, ours, policy)
    if against:
        return Result.FAIL, f"FAIL: {'; '.join(against)} ({fixes})", against
    open_questions = _questions(states, targets, fixed, guards, policy, deterministic=deterministic)
    if open_questions:
        return Result.INCONCLUSIVE, f"INCONCLUSIVE: {'; '.join(open_questions)} ({fixes})", open_questions
    if targets and not fixed:
        reason = f"none of {len(targets)} {plural(failures, len(targets))} is fixed"
        return Result.FAIL, f"FAIL: {reason}", [reason]
    return Result.PASS, f"PASS: {fixes}, {_kept(guards)}{_silent(states)}{_format(ours)}", []


def _fixes(states: Sequence[CaseFlip], targets: Sequence[CaseFlip], fixed: Sequence[CaseFlip], word: str) -> str:
    if targets:
        return f"{len(fixed)} of {len(targets)} {plural(word, len(targets))} fixed"
    fleeting = sum(item.flip is Flip.NOT_REPRODUCED for item in states)
    return "nothing to fix" + (f", {fleeting} {plural('failure', fleeting)} not reproduced" if fleeting else "")


def _refusals(
    states: Sequence[CaseFlip],
    targets: Sequence[CaseFlip],
    fixed: Sequence[CaseFlip],
    guards: Sequence[CaseFlip],
    ours: Shares,
    policy: Policy,
) -> list[str]:
    """What makes the answer no, whatever else is good."""
    found = []
    broken = [item for item in guards if item.flip is Flip.BROKEN]
    if broken:
        found.append(f"{len(broken)} {plural('case', len(broken))} broken: {names(broken)}")
    found += _floors(ours, policy, answers=False)
    fell = [item for item in states if item.fell and item.flip is not Flip.BROKEN]
    if fell:
        found.append(f"{len(fell)} {plural('answer', len(fell))} fell on the format ladder: {names(fell)}")
    must = [item for item in targets if item not in fixed and (policy.fixed == "all" or item.case.critical)]
    if must:
        word = "still failing and must be fixed"
        found.append(f"{len(must)} {plural('case', len(must))} {word}: {names(must)}")
    return found


def _questions(
    states: Sequence[CaseFlip],
    targets: Sequence[CaseFlip],
    fixed: Sequence[CaseFlip],
    guards: Sequence[CaseFlip],
    policy: Policy,
    *,
    deterministic: bool,
) -> list[str]:
    """What is still open, and what would decide it."""
    found = []
    if not targets and not guards:
        found.append("no case passes or fails surely in production, so nothing can be compared; bring cases that do")
    silent = [item for item in states if item.flip is Flip.NO_ANSWER and _needed(item, policy)]
    if silent:
        found.append(f"no answer at {names(silent)}, which must be known; run it again")
    shaky = [item for item in guards if item.flip is Flip.UNSTABLE and item.case.critical]
    if shaky:
        shown = ", ".join(_shaky(item) for item in shaky[:_NAMED])
        found.append(f"{len(shaky)} critical {plural('case', len(shaky))} unstable: {shown}{_rest(shaky)}")
    better = [item for item in targets if item.improved]
    if targets and not fixed and better and not deterministic:
        better.sort(key=lambda item: -item.candidate.passes / item.candidate.total)
        shown = ", ".join(_better(item) for item in better[:_NAMED])
        word = plural("failure", len(better))
        found.append(f"{len(better)} {word} improved, none surely fixed: {shown}{_rest(better)}; {_more(better)}")
    return found


def _needed(item: CaseFlip, policy: Policy) -> bool:
    """Whether a case without an answer may hide what the gate must not let pass."""
    return item.case.critical or (policy.fixed == "all" and not item.champion.passes)


def _shaky(item: CaseFlip) -> str:
    ours = item.candidate
    return f"'{item.case.name}' passes {ours.passes} of {ours.total} tries and needs {passes_to_hold(item)}"


def _better(item: CaseFlip) -> str:
    passes, total = item.candidate.passes, item.candidate.total
    needed = passes_to_fix(item)
    return f"'{item.case.name}' passes {passes} of {total} tries" + (f" and needs {needed}" if needed else "")


def _more(better: Sequence[CaseFlip]) -> str:
    """How many repeats would make the improvement a fix, if its rate is what it seems."""
    counts = [count for count in map(repeats_to_fix, better) if count]
    if counts:
        return f"at these rates 'repeats: {min(counts)}' would decide"
    return "at these rates more repeats would not make it a fix, a better prompt would"


def _kept(guards: Sequence[CaseFlip]) -> str:
    n = len(guards)
    if not n:
        return "no guards, so nothing is known about what it may break"
    unstable = [item for item in guards if item.flip is Flip.UNSTABLE]
    kept = f"none of {n} {plural('guard', n)} broken"
    if unstable:
        kept += f" but {len(unstable)} unstable ({names(unstable)})"
    clean = n - len(unstable)
    if not clean:
        return kept
    rate = excluded_rate(clean)
    kept += f"; among cases like these that excludes a break rate above {percent(rate)}"
    goal = next((goal for goal in (0.10, 0.05, 0.02, 0.01) if goal < rate - 0.005), None)
    if goal is None:
        return kept
    return f"{kept}, {guards_needed(goal) - clean} more would make it {percent(goal)}"


def _silent(states: Sequence[CaseFlip]) -> str:
    silent = [item for item in states if item.flip is Flip.NO_ANSWER]
    return f"; no answer at {names(silent)}" if silent else ""


def _format(ours: Shares) -> str:
    return "" if ours.format is None else f"; format {percent(ours.format)}"


def percent(share: float | None) -> str:
    """A share for people. Never rounds a blemish away: 100 % and 0 % are said of all and none only."""
    if share is None:
        return "–"
    if 0 < share < 1:
        share = min(max(share, 0.01), 0.99)
    return f"{share * 100:.0f} %"


def plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def names(items: Sequence[CaseFlip]) -> str:
    """The first few cases by name."""
    return ", ".join(f"'{item.case.name}'" for item in items[:_NAMED]) + _rest(items)


def _rest(items: Sequence[CaseFlip]) -> str:
    return f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
