"""The two sides of a comparison, case by case: which calls they need, and how they are judged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from promptbench.core.types import AttemptKey, Side
from promptbench.core.words import number_of
from promptbench.engine.plan import in_random_order
from promptbench.engine.prepare.prepared_suite import PreparedSuite, Variant
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo, PromptPair
from promptbench.gate.judge import GatedModel, Result, Verdict, judge
from promptbench.gate.policy import NO_CORRECTION, ComparisonLabels, HolmCorrection, Policy
from promptbench.workflows.judge.execute import case_infos, policy_of, undecided

# The sides in a joint table, instead of version hashes, which may be the same.
CHAMPION, CANDIDATE = Side.CHAMPION.value, Side.CANDIDATE.value
_MOST_NAMED = 3


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
    """A comparison of A with B: is the candidate's side, B, worse? `labels` are the full names of A and B.

    `holm` is the correction if B is one of several.
    """

    labels: tuple[str, str]
    versus: ComparisonLabels
    pairs: Sequence[Pair]
    cases: Sequence[CaseInfo]
    policy: Policy
    holm: HolmCorrection = NO_CORRECTION

    @classmethod
    def of(cls, prepared: PreparedSuite, candidate: Variant, holm: HolmCorrection = NO_CORRECTION) -> Pairing:
        """Return the comparison of a candidate with the champion on all models of a suite."""
        assert prepared.champion is not None
        champion, labels = prepared.champion, (prepared.champion.label, candidate.label)
        pairs = [
            Pair(End(champion.hash, name, same), End(candidate.hash, name, same))
            for name, same in ((model.name, prepared.deterministic(model)) for model in prepared.models)
        ]
        return cls(labels, ComparisonLabels(*labels), pairs, case_infos(prepared), policy_of(prepared), holm)

    def joint(self, champion: AttemptMatrix, candidate: AttemptMatrix) -> AttemptMatrix:
        """Return both sides in one table; they are from one run or from two."""
        numbers = {case.name: number for number, case in enumerate(self.cases)}
        joint = AttemptMatrix(numbers=numbers, measured=self.policy.measured)
        for pair in self.pairs:
            ends = ((CHAMPION, pair.champion, champion), (CANDIDATE, pair.candidate, candidate))
            for (name, end, table), (_, other, tried) in zip(ends, reversed(ends), strict=True):
                # Next to a model whose answers vary, the only answer of a deterministic one counts for every try.
                alone = end.deterministic and not pair.deterministic
                tries = partial(_tries, tried, other) if alone else None
                joint.take(table, (end.variant, end.model), (name, pair.model), numbers, tries)
        return joint

    def confirmed(self, prepared: PreparedSuite) -> Pairing:
        """Return the comparison with what the run has proven about models that are declared deterministic."""
        same = {model.name: prepared.deterministic(model) for model in prepared.models}
        sides = [(pair.champion, pair.candidate) for pair in self.pairs]
        pairs = [Pair(*(replace(end, deterministic=same[end.model]) for end in both)) for both in sides]
        return replace(self, pairs=pairs)

    def wanted(self, table: AttemptMatrix, seed: str) -> Collection[AttemptKey]:
        """Return the further attempts that the sides with varying answers need; the `seed` decides their order."""
        joint, keys = self.joint(table, table), dict[AttemptKey, None]()
        for pair in self.pairs:
            ends = {CHAMPION: pair.champion, CANDIDATE: pair.candidate}
            for case, tries in self._needed(joint, pair).items():
                for repeat in range(tries):
                    for side in in_random_order(list(ends), seed, case, repeat):
                        end = ends[side]
                        made = table.cell(end.variant, end.model, case).made(0 if end.deterministic else repeat)
                        if not made:
                            keys[AttemptKey(end.variant, end.model, case, repeat)] = None
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
            holm=self.holm,
            versus=self.versus,
        )

    def judge_recorded(self, joint: AttemptMatrix, again: str) -> Verdict:
        """Return the verdict on recorded answers, which cannot be retried; `again` is the command that would retry."""
        verdict = self.judge(joint, asked_all=True)
        open_cases = list(dict.fromkeys(case for pair in self.pairs for case in self._needed(joint, pair)))
        incomplete = all(item.trial is not None for item in verdict.models if item.result is Result.NO_VERDICT)
        if not open_cases or not incomplete:
            return verdict
        named = ", ".join(f"'{case}'" for case in open_cases[:_MOST_NAMED])
        rest = f" and {len(open_cases) - _MOST_NAMED} more" if len(open_cases) > _MOST_NAMED else ""
        sentence = (
            f"INCONCLUSIVE: unknown if {self.versus.candidate} is worse than {self.versus.champion}: "
            f"{number_of(len(open_cases), 'case')} with too few tries: {named}{rest}; `{again}` tries them again"
        )
        return undecided(verdict, Result.INCONCLUSIVE, sentence)

    def _needed(self, joint: AttemptMatrix, pair: Pair) -> dict[str, int]:
        what = (joint, CHAMPION, CANDIDATE, pair.model, self.cases, self.policy, pair.deterministic)
        return PromptPair(*what, holm=self.holm).needed_tries()


def _tries(table: AttemptMatrix, end: End, case: str) -> int:
    return max(1, len(table.cell(end.variant, end.model, case).codes))
