"""Decide whether a candidate passes, and say why in one sentence.

One `Verdict` decides both what is printed and the exit code. A candidate is judged on each model that uses the prompt
and passes only if it passes on all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from promptbench.core.errors import Exit
from promptbench.core.types import Json
from promptbench.core.words import number_of, percent
from promptbench.gate import first_rule, sentence
from promptbench.gate.attempt_matrix import AttemptCell, AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome, ComparedCase, PromptPair, discordant
from promptbench.gate.comparison import Comparison
from promptbench.gate.drift import Drift
from promptbench.gate.margin import Bound
from promptbench.gate.policy import NO_CORRECTION, ComparisonLabels, HolmCorrection, Policy
from promptbench.gate.ratios import Ratio, ratios
from promptbench.gate.trial import NO_RECORD, LookRecord, Trial
from promptbench.stats.exact import mcnemar_mid_p

_MAX_ERRORED_SHARE = 0.02


class Result(StrEnum):
    """The result of a verdict."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_VERDICT = "NO VERDICT"

    @property
    def exit(self) -> Exit:
        """The exit code of a command with this result."""
        return _EXITS[self]


_EXITS = {
    Result.PASS: Exit.YES,
    Result.FAIL: Exit.NO,
    Result.INCONCLUSIVE: Exit.INCONCLUSIVE,
    Result.NO_VERDICT: Exit.ENVIRONMENT,
}
WORST_FIRST = (Result.NO_VERDICT, Result.FAIL, Result.INCONCLUSIVE, Result.PASS)


class Mode(StrEnum):
    """What a candidate is judged against. `COMPARISON` proves nothing about production."""

    CHAMPION = "champion"
    INITIAL = "initial"
    SAME = "same"
    COMPARISON = "comparison"


@dataclass(frozen=True, slots=True)
class GatedModel:
    """A model that a candidate must pass on; `confirmed` if a repeated request got the same answer, as declared.

    `facts` is what stands behind a name that the suite gave it, and its parameters.
    """

    name: str
    deterministic: bool
    confirmed: bool = False
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shares:
    """The results of one prompt on one model: shares in [0, 1], None if there is nothing to count.

    `answers` is the share of passed answers and `format` that of well-formed ones, both over the first round and
    without quarantined cases, because retries are made only where an attempt failed. `attempts` and `errored` count
    everything; what one of two prompts gets no answer to, because of the prompt, counts as answered and failed.
    """

    answers: float | None
    format: float | None
    attempts: int
    errored: int

    @classmethod
    def of(
        cls,
        pair: PromptPair,
        variant: str,
        other: str | None,
    ) -> Shares:
        """Count the attempts of one prompt of a pair; `other` is the one that it is compared with."""
        quarantined = {case.name for case in pair.cases if case.review_by}
        passes = total = well = read = attempts = errored = 0
        for case, made in pair.table.cells(variant, pair.model):
            cell = made
            if other is not None and made.errored:
                same = pair.deterministic
                cell = made.with_refusals(pair.table.cell(other, pair.model, case), deterministic=same)
            first = cell.first(0 if case in quarantined else pair.repeats)
            passes += first.passes
            total += first.total
            well += first.well_formed
            read += first.read
            attempts += cell.total
            errored += cell.errored
        return cls(passes / total if total else None, well / read if read else None, attempts, errored)


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """The verdict on one model.

    Attributes:
        reasons: what decided, the most important first.
        cases: the outcome of every case; empty without a champion.
        p: that of the claim that it is better than a champion (`Comparison.p`); None without such a claim.
        trial: the course of the rule; None on a deterministic model and without a champion.
        drift: the change since an earlier run, if the production version itself was judged.
        bounds: the figures behind what the sentence says about the guards.
        complete: False if attempts are missing that the verdict needs.
    """

    model: str
    deterministic: bool
    result: Result
    sentence: str
    reasons: tuple[str, ...]
    cases: tuple[ComparedCase, ...]
    champion: Shares | None
    candidate: Shares
    mid_p: float | None = None
    p: float | None = None
    trial: Trial | None = None
    ratios: tuple[Ratio, ...] = ()
    drift: Drift | None = None
    bounds: tuple[Bound, ...] = ()
    complete: bool = True

    @property
    def p_worse(self) -> float:
        """The p of the claim that the candidate is worse (`Trial.p_worse`); on a deterministic model that is a fact."""
        return self.trial.p_worse if self.trial else float(self.result is not Result.FAIL)

    def count(self, outcome: CaseOutcome) -> int:
        """Return the number of cases with an outcome."""
        return sum(item.outcome is outcome for item in self.cases)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one candidate."""

    candidate: str
    champion: str | None
    mode: Mode
    result: Result
    sentence: str
    models: tuple[ModelVerdict, ...]
    holm: HolmCorrection = NO_CORRECTION


def judge(
    table: AttemptMatrix,
    *,
    champion: str | None,
    candidate: str,
    models: Sequence[GatedModel],
    cases: Sequence[CaseInfo],
    policy: Policy,
    asked_all: bool | None,
    holm: HolmCorrection = NO_CORRECTION,
    versus: ComparisonLabels | None = None,
    drifts: Mapping[str, Drift] = MappingProxyType({}),
    record: LookRecord = NO_RECORD,
) -> Verdict:
    """Judge one candidate over the attempts in the table.

    A candidate must pass on every model, so several models need no correction; several candidates do (`holm`). If an
    answer came from the cache the verdict is neither PASS nor FAIL: the same answer counted again proves nothing.

    Args:
        asked_all: True if every planned attempt was made; None to find out if every needed one was.
        versus: ask whether the candidate is worse, instead of whether it may replace the champion.
        drifts: by model, the change since an earlier run of the champion; used if the candidate is the champion.
        record: earlier looks at candidates against this champion, and the version of the rule.
    """
    mode = Mode.INITIAL if champion is None else Mode.SAME if champion == candidate else Mode.CHAMPION
    if versus is not None:
        mode = Mode.COMPARISON
    judged = tuple(
        _judge_model(
            _pair(record)(
                table, champion, candidate, model.name, cases, policy, model.deterministic, record=record, holm=holm
            ),
            mode,
            asked_all,
            versus,
            drifts.get(model.name),
        )
        for model in models
    )
    verdict = Verdict(
        candidate, champion, mode, Result.NO_VERDICT, "NO VERDICT: no model uses the prompt", judged, holm
    )
    if not judged:
        return verdict
    cached = sum(
        table.cached(variant, model.name) for variant in {champion or candidate, candidate} for model in models
    )
    if cached and all(item.result is not Result.NO_VERDICT for item in judged):
        return _unproven(verdict, cached)
    worst = min(judged, key=lambda item: WORST_FIRST.index(item.result))
    where = ""
    if len(judged) > 1:
        agree = worst.result is Result.PASS
        where = f" (on {worst.model}" + (f", and the same result on {len(judged) - 1} more)" if agree else ")")
    return replace(verdict, result=worst.result, sentence=worst.sentence + where)


def _unproven(verdict: Verdict, cached: int) -> Verdict:
    """Return an INCONCLUSIVE verdict, because `cached` answers came from the cache."""
    sides = (side for model in verdict.models for side in (model.champion, model.candidate) if side)
    proves = "proves" if cached == 1 else "prove"
    reason = f"{cached} of {sum(side.attempts for side in sides)} answers came from the cache and {proves} nothing"
    text, result = f"INCONCLUSIVE: {reason}; the same command without --cache decides", Result.INCONCLUSIVE
    models = (replace(item, result=result, sentence=text, reasons=(reason,)) for item in verdict.models)
    return replace(verdict, result=result, sentence=text, models=tuple(models))


def _pair(record: LookRecord) -> type[PromptPair]:
    return first_rule.FirstPair if record.rule < first_rule.NEXT else PromptPair


def _judge_model(
    pair: PromptPair, mode: Mode, asked_all: bool | None, versus: ComparisonLabels | None, drift: Drift | None
) -> ModelVerdict:
    table, candidate, cases, policy = pair.table, pair.candidate, pair.cases, pair.policy
    compared = pair.champion if mode in (Mode.CHAMPION, Mode.COMPARISON) else None
    ours = Shares.of(pair, candidate, compared)
    theirs = Shares.of(pair, compared, candidate) if compared else None
    complete = pair.is_complete if asked_all is None else asked_all
    verdict = ModelVerdict(
        pair.model, pair.deterministic, Result.NO_VERDICT, "", (), (), theirs, ours, complete=complete
    )
    if invalid := _invalid(ours, theirs, complete):
        return replace(verdict, sentence=f"NO VERDICT: {invalid}", reasons=(invalid,))
    floors = dict(_floors(pair, candidate, ours, answers=compared is None))
    if versus is not None and compared is not None and theirs is not None:
        also = dict(_floors(pair, compared, theirs, answers=False))
        floors = {what: reason for what, reason in floors.items() if what not in also}
    below = list(floors.values())
    if compared is None:
        drift = drift if mode is Mode.SAME else None
        quarantine = (CaseOutcome.QUARANTINED, AttemptCell(), AttemptCell())
        over = [ComparedCase(case, *quarantine) for case in cases if case.expired]
        result, text, reasons = _against_floors(ours, below, mode, drift, over)
        return replace(verdict, result=result, sentence=text, reasons=tuple(reasons), drift=drift)
    before, after = table.latency_cost(compared, pair.model), table.latency_cost(candidate, pair.model)
    figures = tuple(ratios(before, after, policy))
    states, trial = pair.outcomes(), pair.trial
    if trial and trial.wants:
        reason = f"{number_of(len(trial.wants), 'case')} with too few tries for the next stage"
        text = f"NO VERDICT: {reason}"
        return replace(verdict, sentence=text, reasons=(reason,), cases=tuple(states), trial=trial)
    comparison = Comparison(states, policy, pair.holm, below, figures, versus, trial)
    if isinstance(pair, first_rule.FirstPair):
        comparison = first_rule.FirstComparison(
            states, policy, pair.holm, below, figures, versus, deterministic=pair.deterministic
        )
    result, text, reasons = _against_champion(comparison, ours)
    return replace(
        verdict,
        result=result,
        sentence=text,
        reasons=tuple(reasons),
        cases=tuple(states),
        mid_p=mcnemar_mid_p(*discordant(states)) if pair.deterministic else None,
        p=None if result is Result.FAIL else comparison.p,
        trial=comparison.trial,
        ratios=figures,
        bounds=tuple(comparison.bounds()),
    )


def _invalid(ours: Shares, theirs: Shares | None, asked_all: bool) -> str | None:
    """Return why the attempts allow no verdict at all, or None."""
    attempts = ours.attempts + (theirs.attempts if theirs else 0)
    errored = ours.errored + (theirs.errored if theirs else 0)
    if errored > max(1, _MAX_ERRORED_SHARE * (attempts + errored)):
        return f"{errored} of {attempts + errored} attempts got no answer from the provider"
    if not asked_all:
        return "the run is not complete"
    if not ours.attempts or (theirs and not theirs.attempts):
        return "there is no answer to judge"
    return None


def _floors(pair: PromptPair, variant: str, shares: Shares, *, answers: bool) -> Iterator[tuple[str, str]]:
    """Yield the floors that a prompt misses, each as a key and a reason. A tag's floor is over the first round."""
    policy = pair.policy
    floor = policy.format_floor
    if shares.format is not None and shares.format < floor:
        yield "format", sentence.below_floor(shares.format, floor, "are valid JSON", "`gate: format floor`")
    floor = policy.answer_floor
    if answers and shares.answers is not None and shares.answers < floor:
        yield "answers", sentence.below_floor(shares.answers, floor, "are correct", "`gate: answer floor`")
    for tag, wants in policy.tags.items():
        tagged = [case for case in pair.cases if tag in case.tags and not case.review_by]
        cells = [pair.table.cell(variant, pair.model, case.name).first(pair.repeats) for case in tagged]
        total = sum(cell.total for cell in cells)
        share = sum(cell.passes for cell in cells) / total if total else None
        if wants.floor is not None and share is not None and share < wants.floor:
            what = f"to cases tagged '{tag}' are correct"
            yield f"tag {tag}", sentence.below_floor(share, wants.floor, what, f"`gate: tags: {tag}: floor`")


def _against_floors(
    ours: Shares, below: Sequence[str], mode: Mode, drift: Drift | None, over: Sequence[ComparedCase]
) -> tuple[Result, str, Sequence[str]]:
    said, worse = sentence.shares(ours.answers, ours.format), drift.describe() if drift else ""
    prefix = "" if mode is Mode.INITIAL else "the prompt in production: "
    if below:
        change = f"; correct answers {worse}" if drift and drift.significant else ""
        return Result.FAIL, f"FAIL: {prefix}{'; '.join(below)}{change}", below
    if drift and drift.significant:
        reason = f"correct answers {worse}"
        return Result.FAIL, f"FAIL: the prompt in production got worse: {reason}", [reason]
    if over:
        reason = sentence.expired(over)
        return Result.INCONCLUSIVE, f"INCONCLUSIVE: {reason} ({said})", [reason]
    if mode is Mode.SAME:
        change = f"; correct answers {worse}" if drift else ""
        return Result.PASS, f"PASS: nothing to promote, this is the prompt in production: {said}{change}", []
    return Result.PASS, f"PASS: first version: {said}", []


def _against_champion(comparison: Comparison, ours: Shares) -> tuple[Result, str, Sequence[str]]:
    fixes, versus = comparison.fixes, comparison.versus
    if against := list(comparison.refusals()):
        who = f"{versus.candidate} is worse than {versus.champion}: " if versus else ""
        return Result.FAIL, f"FAIL: {who}{'; '.join(against)} ({fixes})", against
    several = comparison.holm.candidates
    holm = f"; Holm over {several} candidates" if several > 1 else ""
    if unknown := list(comparison.questions()):
        who = f"unknown if {versus.candidate} is worse than {versus.champion}: " if versus else ""
        return Result.INCONCLUSIVE, f"INCONCLUSIVE: {who}{'; '.join(unknown)} ({fixes}{holm})", unknown
    if comparison.targets and not comparison.proven and not versus:
        reason = sentence.nothing_fixed(comparison.targets)
        return Result.FAIL, f"FAIL: {reason}", [reason]
    form = "" if ours.format is None else f"; {percent(ours.format)} of answers are valid JSON"
    who = f"{versus.candidate} is not worse than {versus.champion}: " if versus else ""
    return Result.PASS, f"PASS: {who}{comparison.kept()}{form}{holm}", []
