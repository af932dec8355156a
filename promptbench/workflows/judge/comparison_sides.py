"""The two sides of a comparison, case by case: which calls they need, and how they are judged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from promptbench.core.types import AttemptKey, Side
from promptbench.core.words import number_of
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo, CaseOutcome, ComparedCase, needed_repeats
from promptbench.gate.judge import GatedModel, ModelVerdict, Result, Verdict, judge
from promptbench.gate.policy import TRIES, ComparisonLabels, Policy
from promptbench.gate.sentence import names
from promptbench.workflows.judge.execute import undecided

# The sides in a joint table, instead of version hashes, which may be the same.
CHAMPION, CANDIDATE = Side.CHAMPION.value, Side.CANDIDATE.value


@dataclass(frozen=True, slots=True)
class End:
    """One side of a pair: a prompt version on a model."""

    variant: str
    model: str
    deterministic: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sides that are compared. In the joint table they share the candidate's model."""

    champion: End
    candidate: End

    @property
    def model(self) -> str:
        return self.candidate.model

    @property
    def deterministic(self) -> bool:
        """Return True if one answer of each side is enough, because neither ever varies."""
        return self.champion.deterministic and self.candidate.deterministic


@dataclass(frozen=True, slots=True)
class Pairing:
    """A comparison of A with B: is the candidate's side, B, worse? `labels` are the full names of A and B."""

    labels: tuple[str, str]
    versus: ComparisonLabels
    pairs: Sequence[Pair]
    cases: Sequence[CaseInfo]
    policy: Policy

    def joint(self, champion: AttemptMatrix, candidate: AttemptMatrix) -> AttemptMatrix:
        """Return both sides in one table; they are from one run or from two."""
        numbers = {case.name: number for number, case in enumerate(self.cases)}
        joint = AttemptMatrix(numbers=numbers, measured=self.policy.measured)
        for pair in self.pairs:
            for name, end, table in ((CHAMPION, pair.champion, champion), (CANDIDATE, pair.candidate, candidate)):
                # Next to a model whose answers vary, the only answer of a deterministic one counts for every try.
                tries = self.policy.repeats + TRIES if end.deterministic and not pair.deterministic else 1
                joint.take(table, (end.variant, end.model), (name, pair.model), numbers, tries)
        return joint

    def wanted(self, table: AttemptMatrix) -> Collection[AttemptKey]:
        """Return the further attempts that the sides with varying answers need."""
        joint, keys = self.joint(table, table), dict[AttemptKey, None]()
        for pair in self.pairs:
            ends = {CHAMPION: pair.champion, CANDIDATE: pair.candidate}
            wants = needed_repeats(joint, CHAMPION, CANDIDATE, pair.model, self.cases, self.policy)
            for want in () if pair.deterministic else wants:
                end = ends[want.variant]
                have = table.cell(end.variant, end.model, want.case)
                missing = (k for k in range(1 if end.deterministic else want.repeats) if not have.made(k))
                keys.update((AttemptKey(end.variant, end.model, want.case, k), None) for k in missing)
        return keys

    def judge(self, joint: AttemptMatrix, *, asked_all: bool) -> Verdict:
        return judge(
            joint,
            champion=CHAMPION,
            candidate=CANDIDATE,
            models=[GatedModel(pair.model, pair.deterministic) for pair in self.pairs],
            cases=self.cases,
            policy=self.policy,
            asked_all=asked_all,
            versus=self.versus,
        )

    def judge_recorded(self, joint: AttemptMatrix, again: str) -> Verdict:
        """Return the verdict on recorded answers, which cannot be retried; `again` is the command that would retry."""
        verdict = self.judge(joint, asked_all=True)
        undecided_cases = [item for model in verdict.models for item in self._undecided(joint, model)]
        if verdict.result is not Result.PASS or not undecided_cases:
            return verdict
        fail = "fails" if len(undecided_cases) == 1 else "fail"
        sentence = (
            f"INCONCLUSIVE: it is open if {self.versus.candidate} is worse than {self.versus.champion}: "
            f"{number_of(len(undecided_cases), 'case')} {fail} with too few tries to tell: {names(undecided_cases)}; "
            f"`{again}` retries them"
        )
        return undecided(verdict, Result.INCONCLUSIVE, sentence)

    def _undecided(self, joint: AttemptMatrix, verdict: ModelVerdict) -> list[ComparedCase]:
        # These cases look broken, but have too few tries to prove it.
        if verdict.deterministic:
            return []
        wants = needed_repeats(joint, CHAMPION, CANDIDATE, verdict.model, self.cases, self.policy)
        short = {want.case for want in wants if joint.cell(want.variant, verdict.model, want.case).total < want.repeats}
        return [item for item in verdict.cases if item.outcome is CaseOutcome.UNSTABLE and item.case.name in short]
