"""Compare the champion's and the candidate's attempts case by case: fixed, broken, still failing, and so on.

On a deterministic model the one attempt is the fact. On any other model `gate.trial` decides. Falls on the format
ladder go through the same steps, with one stage less, because a fall often affects every case: where the candidate's
median answer in the screen is lower than the champion's, `RETEST` fresh tries of both decide, by Holm's procedure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from promptbench.gate.attempt_matrix import AttemptCell, AttemptMatrix
from promptbench.gate.policy import LEVEL, NO_CORRECTION, HolmCorrection, Policy
from promptbench.gate.trial import BROKEN, NO_RECORD, RETEST, CaseTrial, LookRecord, Trial, Tries
from promptbench.stats.exact import fisher_greater, holm_levels


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
        repeats: the least number of its first tries, if the policy's is smaller; 0 without one.
        models: the models that it runs on; all if empty.
    """

    name: str
    critical: bool = False
    tags: tuple[str, ...] = ()
    cluster: str = ""
    review_by: str = ""
    expired: bool = False
    repeats: int = 0
    models: tuple[str, ...] = ()

    def runs_on(self, model: str) -> bool:
        return not self.models or model in self.models


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
            self.worse and self.trial is not None and self.trial.target
        )

    @property
    def guard(self) -> bool:
        """True if the champion passes the case: something to keep."""
        return (self.worse or self.outcome in (CaseOutcome.STILL_PASSING, CaseOutcome.FLAKY)) and not self.target

    @property
    def worse(self) -> bool:
        """True if the case is broken or unstable."""
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


@dataclass(frozen=True)
class PromptPair:
    """All attempts of two prompts on one model, compared case by case. Each stage of the work is done once.

    Attributes:
        champion: None if there is nothing to compare with.
        cases: those that do not run on the model are left out.
        record: earlier looks at candidates against this champion.
    """

    table: AttemptMatrix
    champion: str | None
    candidate: str
    model: str
    cases: Sequence[CaseInfo]
    policy: Policy
    deterministic: bool = False
    record: LookRecord = NO_RECORD
    holm: HolmCorrection = NO_CORRECTION

    def __post_init__(self) -> None:
        object.__setattr__(self, "cases", [case for case in self.cases if case.runs_on(self.model)])

    def pair(self, case: CaseInfo) -> tuple[AttemptCell, AttemptCell]:
        """Return the champion's and the candidate's attempts at a case, with refusals of one of them as failures."""
        assert self.champion is not None
        both = (
            self.table.cell(self.champion, self.model, case.name),
            self.table.cell(self.candidate, self.model, case.name),
        )
        theirs, ours = (cell.first(1) for cell in both) if self.deterministic else both
        return (
            theirs.with_refusals(ours, deterministic=self.deterministic),
            ours.with_refusals(theirs, deterministic=self.deterministic),
        )

    @property
    def repeats(self) -> int:
        """The number of first tries of a case that is not critical."""
        return 1 if self.deterministic else self.policy.repeats

    def screen(self, case: CaseInfo) -> int:
        """Return the number of first tries of a case."""
        return 1 if self.deterministic else max(case.repeats, self.policy.screen(critical=case.critical))

    @cached_property
    def trial(self) -> Trial | None:
        """The course of the rule; None on a deterministic model."""
        if self.deterministic:
            return None
        watched = frozenset(self.record.watched.get(self.model, ()))

        def tries(case: CaseInfo) -> Tries:
            theirs, ours = self.pair(case)
            must = case.critical or self.policy.fixed == "all"
            return Tries(case.name, theirs.tries, ours.tries, self.screen(case), must, case.name in watched)

        counted = (case for case in self.cases if not case.review_by) if self._differ else ()
        looks = self.record.looks_of(self.model)
        return Trial.of(map(tries, counted), looks, self.holm.level / LEVEL, part=self.record.part)

    def outcomes(self) -> list[ComparedCase]:
        """Return the outcome of every case.

        On a deterministic model, and where the tries do not reach to the end of the trial, it is what most tries say.
        That is the fact on a deterministic model, and proves nothing on another.
        """
        # In the order of the cases, as counted by `trial`.
        tried = iter([] if self.trial is None or self.trial.wants else self.trial.cases)
        fallen = self._fallen()
        result = []
        for case in self.cases:
            theirs, ours = self.pair(case)
            item = None if case.review_by else next(tried, None)
            if case.review_by:
                outcome = CaseOutcome.QUARANTINED
            elif not (theirs.total and ours.total):
                outcome = CaseOutcome.NO_ANSWER
            else:
                outcome = _seen(theirs, ours) if item is None else _tried(item, theirs, ours)
            result.append(ComparedCase(case, outcome, theirs, ours, case.name in fallen, item))
        return result

    def needed_tries(self) -> dict[str, int]:
        """Return, by case, how many tries in all both prompts need for the next stage of the rule.

        Only cases are there that lack some. On a deterministic model no case needs more than its first try.
        """
        if self.trial is None:
            return {}
        needed = dict(self.trial.wants)
        for case, theirs, ours in self._lower:
            count = self.screen(case) + RETEST
            if min(len(theirs.tries), len(ours.tries)) < count:
                needed[case.name] = max(count, needed.get(case.name, 0))
        return needed

    @property
    def is_complete(self) -> bool:
        """True if every attempt that the verdict needs was made."""
        variants = dict.fromkeys(variant for variant in (self.champion, self.candidate) if variant is not None)
        for variant in variants:
            cells = ((case, self.table.cell(variant, self.model, case.name)) for case in self.cases)
            if not all(cell.asked(self.screen(case)) for case, cell in cells):
                return False
        return not self._differ or not self.needed_tries()

    @property
    def _differ(self) -> bool:
        return self.champion not in (None, self.candidate)

    @cached_property
    def _lower(self) -> list[tuple[CaseInfo, AttemptCell, AttemptCell]]:
        """The cases where the candidate's median answer in the screen is lower on the format ladder."""
        found = []
        for case in self.cases if self._differ else ():
            theirs, ours = self.pair(case)
            before, after = theirs.first(self.screen(case)).rung, ours.first(self.screen(case)).rung
            if not case.review_by and before is not None and after is not None and after.depth > before.depth:
                found.append((case, theirs, ours))
        return found

    def _fallen(self) -> set[str]:
        """Return the cases whose answers are proven to need more repair."""
        if self.deterministic:
            return {case.name for case, _, _ in self._lower}
        p_values = []
        for case, theirs, ours in self._lower:
            screen = self.screen(case)
            usual = theirs.first(screen).rung
            assert usual is not None
            counts = []
            for cell in (theirs, ours):
                depths = [depth for depth in cell.high[screen : screen + RETEST] if depth is not None]
                counts += [sum(depth <= usual.depth for depth in depths), len(depths)]
            p_values.append(fisher_greater(*counts))
        levels = holm_levels(p_values, BROKEN)
        return {item[0].name for item, p, level in zip(self._lower, p_values, levels, strict=True) if p <= level}


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


# Answers to cases of one origin pass and fail together, so twenty guards from two conversations are two pieces of
# evidence; counted as twenty, a bound would be too narrow (Donner and Klar 2000, Design and Analysis of Cluster
# Randomization Trials, chapter 1). What holds for independent guards holds for clusters, whatever the dependence within
# one. The exact bound on the share that breaks is over n clusters, of which one with a broken guard is broken. The
# paired difference has one d per cluster, the mean over its guards. So the bounds are about clusters, not cases.
def clusters(items: Iterable[ComparedCase]) -> list[list[ComparedCase]]:
    """Return the cases by cluster, in order; a case without a cluster is one of its own."""
    found: dict[tuple[str, str], list[ComparedCase]] = {}
    for item in items:
        key = (item.case.cluster, "") if item.case.cluster else ("", item.case.name)
        found.setdefault(key, []).append(item)
    return list(found.values())


def clustered(items: Sequence[ComparedCase]) -> bool:
    """Return True if any two of the cases share a cluster."""
    named = [item.case.cluster for item in items if item.case.cluster]
    return len(set(named)) < len(named)


def discordant(states: Iterable[ComparedCase]) -> tuple[int, int]:
    """Return McNemar's two counts: clusters with more fixed than broken cases, and the opposite."""
    scores = {CaseOutcome.FIXED: 1, CaseOutcome.BROKEN: -1}
    balances = [sum(scores.get(item.outcome, 0) for item in cluster) for cluster in clusters(states)]
    return sum(balance > 0 for balance in balances), sum(balance < 0 for balance in balances)
