"""The decision, and its sentence.

One `Verdict` decides what is printed and the exit code. A candidate is judged on each model that uses the prompt and
passes only if it passes on all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from promptbench.core.errors import Exit
from promptbench.gate.flips import CaseFlip, CaseInfo, Flip, flips
from promptbench.gate.policy import Policy
from promptbench.gate.table import Table
from promptbench.stats.exact import excluded_rate, guards_needed, mcnemar_mid_p

_MAX_ERRORED_SHARE = 0.02


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
_WORST_FIRST = (Result.NO_VERDICT, Result.FAIL, Result.INCONCLUSIVE, Result.PASS)


class Mode(StrEnum):
    """Against what a candidate is judged."""

    CHAMPION = "champion"
    INITIAL = "initial"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Shares:
    """Of one prompt on one model: the share of attempts in [0, 1]; None where there is nothing to count."""

    answers: float | None
    format: float | None
    attempts: int
    errored: int

    @classmethod
    def of(cls, table: Table, variant: str, model: str) -> Shares:
        passes = total = well = read = errored = 0
        for _, cell in table.cells(variant, model):
            passes += cell.passes
            total += cell.total
            well += sum(cell.readable.values())
            read += len(cell.readable)
            errored += len(cell.errored)
        return cls(passes / total if total else None, well / read if read else None, total, errored)


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
    """The verdict over what is in the table. `asked_all` tells whether every planned attempt was made."""
    mode = Mode.INITIAL if champion is None else Mode.SAME if champion == candidate else Mode.CHAMPION
    judged = tuple(_judge_model(table, champion, candidate, model, cases, policy, mode, asked_all) for model in models)
    if not judged:
        sentence = "NO VERDICT: no model uses the prompt, so there is nothing to judge it on"
        return Verdict(candidate, champion, mode, Result.NO_VERDICT, sentence, ())
    worst = min(judged, key=lambda item: _WORST_FIRST.index(item.result))
    sentence = worst.sentence
    if len(judged) > 1:
        agree = worst.result is Result.PASS
        sentence = f"{worst.sentence} (on {worst.model}{', and the same result' if agree else ''}"
        sentence += f" on {len(judged) - 1} more)" if agree else ")"
    return Verdict(candidate, champion, mode, worst.result, sentence, judged)


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
    ours = Shares.of(table, candidate, model.name)
    theirs = Shares.of(table, champion, model.name) if champion and mode is Mode.CHAMPION else None
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
        found.append(f"format {percent(ours.format)} is below the floor of {percent(policy.format_floor)}")
    if answers and ours.answers is not None and ours.answers < policy.answer_floor:
        found.append(f"answers {percent(ours.answers)} are below the floor of {percent(policy.answer_floor)}")
    return found


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
    broken = [item for item in guards if item.flip is Flip.BROKEN]
    against = _refusals(states, targets, fixed, broken, ours, policy)
    failures = "failures" if deterministic else "reproduced failures"
    fixes = f"{len(fixed)} of {len(targets)} {failures} fixed" if targets else "nothing to fix"
    if against:
        return Result.FAIL, f"FAIL: {'; '.join(against)} ({fixes})", against
    open_questions = _questions(targets, fixed, guards, deterministic=deterministic)
    if open_questions:
        return Result.INCONCLUSIVE, f"INCONCLUSIVE: {'; '.join(open_questions)} ({fixes})", open_questions
    if targets and not fixed:
        reason = f"none of {len(targets)} {failures} is fixed"
        return Result.FAIL, f"FAIL: {reason}", [reason]
    return Result.PASS, f"PASS: {fixes}, {_kept(guards)}{_format(ours)}", []


def _refusals(
    states: Sequence[CaseFlip],
    targets: Sequence[CaseFlip],
    fixed: Sequence[CaseFlip],
    broken: Sequence[CaseFlip],
    ours: Shares,
    policy: Policy,
) -> list[str]:
    """What makes the answer no, whatever else is good."""
    found = []
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
    targets: Sequence[CaseFlip], fixed: Sequence[CaseFlip], guards: Sequence[CaseFlip], *, deterministic: bool
) -> list[str]:
    """What more attempts could decide."""
    found = []
    shaky = [item for item in guards if item.flip is Flip.UNSTABLE and item.case.critical]
    if shaky:
        found.append(f"unstable critical {plural('case', len(shaky))}: {names(shaky)}; ask it in a later run")
    better = [item for item in targets if item.improved]
    if targets and not fixed and better and not deterministic:
        found.append(f"{len(better)} {plural('failure', len(better))} improved, none surely fixed; {names(better)}")
    return found


def _kept(guards: Sequence[CaseFlip]) -> str:
    n = len(guards)
    if not n:
        return "no guards, so nothing is known about what it may break"
    rate = excluded_rate(n)
    kept = f"none of {n} {plural('guard', n)} broken; among cases like these that excludes a break rate above "
    kept += percent(rate)
    goal = next((goal for goal in (0.10, 0.05, 0.02, 0.01) if goal < rate - 0.005), None)
    if goal is None:
        return kept
    return f"{kept}, {guards_needed(goal) - n} more would make it {percent(goal)}"


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


def names(items: Sequence[CaseFlip], most: int = 3) -> str:
    """The first few cases by name."""
    shown = ", ".join(f"'{item.case.name}'" for item in items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"
