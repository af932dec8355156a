"""The decision, and its sentence.

One `Verdict` decides what is printed and the exit code. A candidate is judged on each model that uses the prompt and
passes only if it passes on all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from promptbench.core.errors import Exit
from promptbench.core.words import number_of, percent
from promptbench.gate.bounds import Bound, bounds
from promptbench.gate.clusters import discordant
from promptbench.gate.comparison import Comparison
from promptbench.gate.drift import Drift
from promptbench.gate.flips import CaseFlip, CaseInfo, Flip, flips
from promptbench.gate.policy import ALONE, Among, Policy, Versus
from promptbench.gate.ratios import Ratio, ratios
from promptbench.gate.sentence import apart, expired
from promptbench.gate.table import Cell, Table
from promptbench.stats.exact import mcnemar_mid_p

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
WORST_FIRST = (Result.NO_VERDICT, Result.FAIL, Result.INCONCLUSIVE, Result.PASS)


class Mode(StrEnum):
    """Against what a candidate is judged."""

    CHAMPION = "champion"
    INITIAL = "initial"
    SAME = "same"
    COMPARISON = "comparison"
    """Against whatever it was compared with, which proves nothing about production."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Of one prompt on one model: the share of attempts in [0, 1]; None where there is nothing to count.

    The shares are over the first round, since what was asked again was chosen for having failed, and without cases in
    quarantine; `attempts` and `errored` count everything.
    """

    answers: float | None
    format: float | None
    attempts: int
    errored: int

    @classmethod
    def of(
        cls, table: Table, variant: str, model: str, repeats: int, quarantined: Collection[str] = frozenset()
    ) -> Shares:
        passes = total = well = read = attempts = errored = 0
        for case, cell in table.cells(variant, model):
            first = cell.first(0 if case in quarantined else repeats)
            passes += first.passes
            total += first.total
            well += first.well_formed
            read += first.read
            attempts += cell.total
            errored += cell.errored
        return cls(passes / total if total else None, well / read if read else None, attempts, errored)


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """The verdict on one model. `reasons` are what decided, the first one first.

    `p` is that of the claim behind a PASS against a champion, as `Comparison.p` has it; None without such a claim.
    `drift` is what has changed since an earlier run of the version in production, where that is what was judged.
    `bounds` are the figures behind what the sentence says of the guards.
    """

    model: str
    deterministic: bool
    result: Result
    sentence: str
    reasons: tuple[str, ...]
    flips: tuple[CaseFlip, ...]
    champion: Shares | None
    candidate: Shares
    mid_p: float | None = None
    p: float | None = None
    ratios: tuple[Ratio, ...] = ()
    drift: Drift | None = None
    bounds: tuple[Bound, ...] = ()

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
    among: Among = ALONE


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
    among: Among = ALONE,
    versus: Versus | None = None,
    drifts: Mapping[str, Drift] = MappingProxyType({}),
) -> Verdict:
    """The verdict over what is in the table. `asked_all` tells whether every planned attempt was made; `drifts` says by
    model what has changed since an earlier run of the champion, which counts where the candidate is that.

    With `versus` the question is whether the candidate is worse, else whether it may take the champion's place.

    A candidate must pass on every model, so several models need no correction; several candidates do (`among`).

    Where an answer came from the cache it is neither PASS nor FAIL: the same answer counted again is no evidence.
    """
    mode = Mode.INITIAL if champion is None else Mode.SAME if champion == candidate else Mode.CHAMPION
    if versus is not None:
        mode = Mode.COMPARISON
    judged = tuple(
        _judge_model(
            table, champion, candidate, model, cases, policy, mode, asked_all, among, versus, drifts.get(model.name)
        )
        for model in models
    )
    if not judged:
        sentence = "NO VERDICT: no model uses the prompt, so there is nothing to judge it on"
        return Verdict(candidate, champion, mode, Result.NO_VERDICT, sentence, (), among)
    cached = sum(
        table.cached(variant, model.name) for variant in {champion or candidate, candidate} for model in models
    )
    if cached and all(item.result is not Result.NO_VERDICT for item in judged):
        return _unproven(Verdict(candidate, champion, mode, Result.INCONCLUSIVE, "", judged, among), cached)
    worst = min(judged, key=lambda item: WORST_FIRST.index(item.result))
    sentence = worst.sentence
    if len(judged) > 1:
        agree = worst.result is Result.PASS
        sentence = f"{worst.sentence} (on {worst.model}{', and the same result' if agree else ''}"
        sentence += f" on {len(judged) - 1} more)" if agree else ")"
    return Verdict(candidate, champion, mode, worst.result, sentence, judged, among)


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
    among: Among,
    versus: Versus | None,
    changed: Drift | None,
) -> ModelVerdict:
    quarantined = {case.name for case in cases if case.review_by}
    ours = Shares.of(table, candidate, model.name, policy.repeats, quarantined)
    compared = champion if mode in (Mode.CHAMPION, Mode.COMPARISON) else None
    theirs = Shares.of(table, compared, model.name, policy.repeats, quarantined) if compared else None
    verdict = ModelVerdict(model.name, model.deterministic, Result.NO_VERDICT, "", (), (), theirs, ours)
    if invalid := _invalid(ours, theirs, asked_all):
        return replace(verdict, sentence=f"NO VERDICT about the prompt: {invalid}", reasons=(invalid,))
    floors = _all_floors(table, candidate, model.name, ours, cases, policy, answers=compared is None)
    if versus is not None and compared is not None and theirs is not None:
        also = _all_floors(table, compared, model.name, theirs, cases, policy, answers=False)
        floors = {what: said for what, said in floors.items() if what not in also}
    below = list(floors.values())
    if compared is None:
        changed = changed if mode is Mode.SAME else None
        over = [CaseFlip(case, Flip.QUARANTINED, Cell(), Cell()) for case in cases if case.expired]
        result, sentence, reasons = _against_floors(ours, below, mode, changed, over)
        return replace(verdict, result=result, sentence=sentence, reasons=tuple(reasons), drift=changed)
    states = flips(table, compared, candidate, model.name, cases, deterministic=model.deterministic, policy=policy)
    figures = tuple(ratios(table.measures(compared, model.name), table.measures(candidate, model.name), policy))
    comparison = Comparison(states, policy, model.deterministic, among, below, figures, versus)
    result, sentence, reasons = _against_champion(comparison, ours)
    return replace(
        verdict,
        result=result,
        sentence=sentence,
        reasons=tuple(reasons),
        flips=tuple(states),
        mid_p=mcnemar_mid_p(*discordant(states)) if model.deterministic else None,
        p=comparison.p if result is Result.PASS else None,
        ratios=figures,
        bounds=tuple(bounds(comparison)),
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


def _all_floors(
    table: Table,
    variant: str,
    model: str,
    shares: Shares,
    cases: Sequence[CaseInfo],
    policy: Policy,
    *,
    answers: bool,
) -> dict[str, str]:
    """The floors that a prompt is below: of what, and how people are told."""
    return {**dict(_floors(shares, policy, answers=answers)), **dict(_tag_floors(table, variant, model, cases, policy))}


def _floors(ours: Shares, policy: Policy, *, answers: bool) -> Iterator[tuple[str, str]]:
    if ours.format is not None and ours.format < policy.format_floor:
        share, floor = apart(ours.format, policy.format_floor)
        yield "format", f"format {share} is below the floor of {floor}"
    if answers and ours.answers is not None and ours.answers < policy.answer_floor:
        share, floor = apart(ours.answers, policy.answer_floor)
        yield "answers", f"answers {share} are below the floor of {floor}"


def _tag_floors(
    table: Table, candidate: str, model: str, cases: Sequence[CaseInfo], policy: Policy
) -> Iterator[tuple[str, str]]:
    """Where the share of right answers in the first round falls below a tag's floor."""
    for tag, wants in policy.tags.items():
        tagged = [case for case in cases if tag in case.tags and not case.review_by]
        cells = [table.cell(candidate, model, case.name).first(policy.repeats) for case in tagged]
        total = sum(cell.total for cell in cells)
        answers = sum(cell.passes for cell in cells) / total if total else None
        if wants.floor is not None and answers is not None and answers < wants.floor:
            share, floor = apart(answers, wants.floor)
            yield f"tag {tag}", f"answers {share} of '{tag}' are below the floor of {floor}"


def _against_floors(
    ours: Shares, below: Sequence[str], mode: Mode, changed: Drift | None, over: Sequence[CaseFlip]
) -> tuple[Result, str, Sequence[str]]:
    shares = f"answers {percent(ours.answers)}" + ("" if ours.format is None else f", format {percent(ours.format)}")
    if below:
        what = "the first version" if mode is Mode.INITIAL else "the prompt in production"
        worse = f"; answers {changed.said()}" if changed and changed.clear else ""
        return Result.FAIL, f"FAIL: {what} is below its floors: {'; '.join(below)}{worse}", below
    if changed and changed.clear:
        reason = f"answers {changed.said()}"
        return Result.FAIL, f"FAIL: the prompt in production got worse: {reason}", [reason]
    if over:
        reason = expired(over)
        return Result.INCONCLUSIVE, f"INCONCLUSIVE: {reason} ({shares})", [reason]
    if mode is Mode.SAME:
        holds = "PASS: nothing to promote, this is the prompt in production, and it holds"
        return Result.PASS, f"{holds}: {shares}" + (f"; answers {changed.said()}" if changed else ""), []
    return Result.PASS, f"PASS: the first version is above its floors: {shares}", []


def _against_champion(comparison: Comparison, ours: Shares) -> tuple[Result, str, Sequence[str]]:
    targets, fixed, fixes, versus = comparison.targets, comparison.fixed, comparison.fixes, comparison.versus
    if against := list(comparison.refusals()):
        who = f"{versus.candidate} is worse than {versus.champion}: " if versus else ""
        return Result.FAIL, f"FAIL: {who}{'; '.join(against)} ({fixes})", against
    several = comparison.among.candidates
    holm = f"; Holm over {several} candidates" if several > 1 else ""
    if unknown := list(comparison.questions()):
        who = f"whether {versus.candidate} is worse than {versus.champion} is open: " if versus else ""
        return Result.INCONCLUSIVE, f"INCONCLUSIVE: {who}{'; '.join(unknown)} ({fixes}{holm})", unknown
    if targets and not fixed and not versus:
        reason = f"none of {number_of(len(targets), comparison.failure)} is fixed"
        return Result.FAIL, f"FAIL: {reason}", [reason]
    form = "" if ours.format is None else f"; format {percent(ours.format)}"
    who = f"{versus.candidate} is no worse than {versus.champion}: " if versus else ""
    return Result.PASS, f"PASS: {who}{comparison.kept()}{form}{holm}", []
