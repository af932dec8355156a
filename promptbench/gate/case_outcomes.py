"""Compare the champion's and the candidate's attempts case by case: fixed, broken, still failing, and so on.

On a deterministic model the one attempt is the fact. On any other model `gate.trial` decides. Falls on the format
ladder go through the same steps, with one stage less, because a fall often affects every case: where the candidate's
median answer in the screen is lower than the champion's, `RETEST` fresh tries of both decide, by Holm's procedure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from promptbench.gate.attempt_matrix import AttemptCell, AttemptMatrix
from promptbench.gate.policy import LEVEL, NO_CORRECTION, HolmCorrection, Policy
from promptbench.gate.trial import BROKEN, NO_RECORD, RETEST, CaseTrial, LookRecord, Trial, Tries
from promptbench.stats.exact import fisher_greater
from promptbench.stats.holm import holm_levels


class CaseOutcome(StrEnum):
    """The outcome of a case for a candidate, compared with the champion. The values are keys of the evidence."""

    FIXED = "fixed"
    BROKEN = "broken"
    STILL_FAILING = "still failing"
    STILL_PASSING = "still passing"
    # A guard that fails some tries, without proof that the candidate fails more of them.
    FLAKY = "flaky"
    UNSTABLE = "unstable"
    NOT_REPRODUCED = "not reproduced"
    NO_ANSWER = "no answer"
    # Requested and shown, but neither target nor guard.
    QUARANTINED = "quarantined"
    # Without a champion to compare with.
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class CaseInfo:
    """A case as the gate knows it.

    Attributes:
        tags: those of its tags that the policy names.
        cluster: what it has in common with other cases, such as a conversation; empty for a case of its own.
        review_by: the last day of its quarantine in ISO 8601; empty if it is in none.
        expired: True after that day.
    """

    name: str
    critical: bool = False
    tags: tuple[str, ...] = ()
    cluster: str = ""
    review_by: str = ""
    expired: bool = False


@dataclass(frozen=True, slots=True)
class ComparedCase:
    """One case on one model, with the counts that decided.

    Attributes:
        fell: the candidate's answers need more repair than the champion's, proven like a break.
        trial: what the rule found out about the case; None on a deterministic model.
    """

    case: CaseInfo
    outcome: CaseOutcome
    champion: AttemptCell
    candidate: AttemptCell
    fell: bool = False
    trial: CaseTrial | None = None

    @property
    def target(self) -> bool:
        """True if the champion fails the case: something to fix."""
        return self.outcome in (CaseOutcome.FIXED, CaseOutcome.STILL_FAILING) or (
            self._worse and self.trial is not None and self.trial.target
        )

    @property
    def guard(self) -> bool:
        """True if the champion passes the case: something to keep."""
        return (self._worse or self.outcome in (CaseOutcome.STILL_PASSING, CaseOutcome.FLAKY)) and not self.target

    @property
    def _worse(self) -> bool:
        return self.outcome in (CaseOutcome.BROKEN, CaseOutcome.UNSTABLE)

    @property
    def doubtful(self) -> bool:
        """True if the case is possibly broken: neither proven nor cleared of it."""
        cleared = self.trial is None or not self.trial.uncleared
        return self.outcome is CaseOutcome.UNSTABLE or (self.outcome is not CaseOutcome.BROKEN and not cleared)

    @property
    def improved(self) -> bool:
        """True if more tries may prove that the candidate fixes the case."""
        return self.outcome is CaseOutcome.STILL_FAILING and self.trial is not None and self.trial.promising


def run_trial(
    table: AttemptMatrix,
    champion: str,
    candidate: str,
    model: str,
    cases: Sequence[CaseInfo],
    policy: Policy,
    *,
    record: LookRecord = NO_RECORD,
    holm: HolmCorrection = NO_CORRECTION,
) -> Trial:
    """Follow the rule over the attempts of two prompts on a model that is not deterministic."""
    watched = frozenset(record.watched.get(model, ()))

    def tries(case: CaseInfo) -> Tries:
        theirs, ours = table.pair(champion, candidate, model, case.name, deterministic=False)
        screen, must = policy.screen(critical=case.critical), case.critical or policy.fixed == "all"
        return Tries(case.name, theirs.tries, ours.tries, screen, must, case.name in watched)

    counted = () if champion == candidate else (case for case in cases if not case.review_by)
    return Trial.of(map(tries, counted), record.looks_of(model), holm.level / LEVEL, part=record.part)


def compare_cases(
    table: AttemptMatrix,
    champion: str,
    candidate: str,
    model: str,
    cases: Sequence[CaseInfo],
    policy: Policy,
    trial: Trial | None,
    *,
    deterministic: bool,
) -> list[ComparedCase]:
    """Return the outcome of every case on one model.

    Without a `trial`, or where its tries do not reach to the end, it is what most tries say. That is the fact on a
    deterministic model, and proves nothing on another.
    """
    tried = {} if trial is None or trial.wants else {item.name: item for item in trial.cases}
    fallen = _fallen(table, champion, candidate, model, cases, policy, deterministic=deterministic)
    result = []
    for case in cases:
        theirs, ours = table.pair(champion, candidate, model, case.name, deterministic=deterministic)
        item = tried.get(case.name)
        if case.review_by:
            outcome = CaseOutcome.QUARANTINED
        elif not (theirs.total and ours.total):
            outcome = CaseOutcome.NO_ANSWER
        else:
            outcome = _seen(theirs, ours) if item is None else _tried(item, theirs, ours)
        result.append(ComparedCase(case, outcome, theirs, ours, case.name in fallen, item))
    return result


def needed_tries(
    table: AttemptMatrix,
    champion: str,
    candidate: str,
    model: str,
    cases: Sequence[CaseInfo],
    policy: Policy,
    *,
    record: LookRecord = NO_RECORD,
    holm: HolmCorrection = NO_CORRECTION,
    trial: Trial | None = None,
) -> dict[str, int]:
    """Return, by case, how many tries in all both prompts need on a model that is not deterministic.

    Only cases are there that lack some; the next stage of the rule may need more. `trial` is that of these attempts, if
    it is known.
    """
    trial = trial or run_trial(table, champion, candidate, model, cases, policy, record=record, holm=holm)
    needed = dict(trial.wants)
    for case, theirs, ours in _lower_in_screen(table, champion, candidate, model, cases, policy, deterministic=False):
        count = policy.screen(critical=case.critical) + RETEST
        if min(len(theirs.tries), len(ours.tries)) < count:
            needed[case.name] = max(count, needed.get(case.name, 0))
    return needed


def is_complete(
    table: AttemptMatrix,
    champion: str | None,
    candidate: str,
    model: str,
    cases: Sequence[CaseInfo],
    *,
    deterministic: bool,
    policy: Policy,
    record: LookRecord = NO_RECORD,
    holm: HolmCorrection = NO_CORRECTION,
) -> bool:
    """Return True if every attempt that the verdict on a model needs was made."""

    def first(case: CaseInfo) -> int:
        return 1 if deterministic else policy.screen(critical=case.critical)

    variants = dict.fromkeys(variant for variant in (champion, candidate) if variant is not None)
    if not all(table.cell(variant, model, case.name).asked(first(case)) for variant in variants for case in cases):
        return False
    if deterministic or champion in (None, candidate):
        return True
    return not needed_tries(table, str(champion), candidate, model, cases, policy, record=record, holm=holm)


def _lower_in_screen(
    table: AttemptMatrix,
    champion: str,
    candidate: str,
    model: str,
    cases: Sequence[CaseInfo],
    policy: Policy,
    *,
    deterministic: bool,
) -> Iterator[tuple[CaseInfo, AttemptCell, AttemptCell]]:
    """Yield the cases where the candidate's median answer in the screen is lower on the format ladder."""
    for case in () if champion == candidate else cases:
        theirs, ours = table.pair(champion, candidate, model, case.name, deterministic=deterministic)
        screen = policy.screen(critical=case.critical)
        before, after = theirs.first(screen).rung, ours.first(screen).rung
        if not case.review_by and before is not None and after is not None and after.depth > before.depth:
            yield case, theirs, ours


def _fallen(
    table: AttemptMatrix,
    champion: str,
    candidate: str,
    model: str,
    cases: Sequence[CaseInfo],
    policy: Policy,
    *,
    deterministic: bool,
) -> set[str]:
    """Return the cases whose answers are proven to need more repair."""
    lower = list(_lower_in_screen(table, champion, candidate, model, cases, policy, deterministic=deterministic))
    if deterministic:
        return {case.name for case, _, _ in lower}
    p_values = []
    for case, theirs, ours in lower:
        screen = policy.screen(critical=case.critical)
        usual = theirs.first(screen).rung
        assert usual is not None
        counts = []
        for cell in (theirs, ours):
            depths = [depth for depth in cell.high[screen : screen + RETEST] if depth is not None]
            counts += [sum(depth <= usual.depth for depth in depths), len(depths)]
        p_values.append(fisher_greater(*counts))
    levels = holm_levels(p_values, BROKEN)
    return {item[0].name for item, p, level in zip(lower, p_values, levels, strict=True) if p <= level}


def _seen(champion: AttemptCell, candidate: AttemptCell) -> CaseOutcome:
    passes = candidate.passes > candidate.failures
    if champion.passes > champion.failures:
        return CaseOutcome.STILL_PASSING if passes else CaseOutcome.BROKEN
    return CaseOutcome.FIXED if passes else CaseOutcome.STILL_FAILING


def _tried(trial: CaseTrial, champion: AttemptCell, candidate: AttemptCell) -> CaseOutcome:
    if trial.broken:
        return CaseOutcome.BROKEN
    if trial.unstable:
        return CaseOutcome.UNSTABLE
    if trial.target:
        still = CaseOutcome.STILL_FAILING if trial.reproduced else CaseOutcome.NOT_REPRODUCED
        return CaseOutcome.FIXED if trial.fixed else still
    return CaseOutcome.FLAKY if champion.failures or candidate.failures else CaseOutcome.STILL_PASSING
