"""Compare candidate and champion on one model: what speaks against the candidate, what is open, what is proven."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from promptbench.core.words import number_of
from promptbench.gate import sentence
from promptbench.gate.case_outcomes import CaseOutcome, ComparedCase, clusters
from promptbench.gate.margin import Bound, MarginTest, mean_change
from promptbench.gate.policy import AUTO, LEVEL, ComparisonLabels, HolmCorrection, Policy
from promptbench.gate.ratios import Ratio
from promptbench.gate.sentence import names
from promptbench.gate.trial import Trial, level
from promptbench.stats.paired import Paired


@dataclass(frozen=True)
class Comparison:
    """What the attempts of two prompts on one model prove.

    Attributes:
        below: the floors that the candidate misses.
        ratios: the gate's bounds on cost and time.
        versus: if set, the question is only whether the candidate is worse: nothing has to be fixed.
        trial: the course of the rule; None on a deterministic model, where every outcome is a fact.
    """

    states: Sequence[ComparedCase]
    policy: Policy
    holm: HolmCorrection
    below: Sequence[str]
    ratios: Sequence[Ratio]
    versus: ComparisonLabels | None = None
    trial: Trial | None = None

    @cached_property
    def targets(self) -> list[ComparedCase]:
        """The cases that the champion fails."""
        return [item for item in self.states if item.target]

    @cached_property
    def fixed(self) -> list[ComparedCase]:
        """The targets that the candidate fixes."""
        return [item for item in self.targets if item.outcome is CaseOutcome.FIXED]

    @cached_property
    def guards(self) -> list[ComparedCase]:
        """The cases that the champion passes."""
        return [item for item in self.states if item.guard]

    @cached_property
    def margins(self) -> list[MarginTest]:
        """The tests of the gate's margin and those of its tags."""
        tests = [] if self.policy.margin == AUTO else [("", self.policy.margin, self.guards)]
        for tag, wants in self.policy.tags.items():
            if wants.margin is not None:
                tests.append((tag, wants.margin, [item for item in self.guards if tag in item.case.tags]))
        return [MarginTest(guards, float(margin), self.holm, self._first, tag) for tag, margin, guards in tests]

    @cached_property
    def change(self) -> Paired:
        """The change of the share of passes from champion to candidate, over the clusters of all cases' screens."""
        there = [item for item in self.states if item.champion.total and item.candidate.total]
        return mean_change([item for item in there if not item.case.review_by], self._first)

    @property
    def _first(self) -> int:
        return self.policy.repeats if self.trial else 1

    @property
    def fixes(self) -> str:
        """How many failing cases are fixed, in words."""
        return sentence.fixes(self.states, self.targets, self.fixed)

    @property
    def p(self) -> float:
        """The p of the claim that the candidate fixes something and keeps within the margins, at level `LEVEL`.

        Holm's procedure ranks candidates by it. It is the largest p of all that the claim needs (Berger 1982,
        Technometrics 24:295). That of the fixes is Simes' p over all targets, or the largest of those that must be
        fixed, in proportion to the level of the look. Fixes on a deterministic model are facts and have no p, nor have
        guards without a margin; then 0.0.
        """
        return max([self._p_of_fixes, *(margin.p for margin in self.margins)])

    @property
    def _p_of_fixes(self) -> float:
        if self.trial is None or not self.targets:
            return 0.0
        must = [2 * item.trial.p_fixed for item in self.targets if self._must(item) and item.trial]
        return min(1.0, max([self.trial.p_fixed, *must]) * LEVEL / level(self.trial.looks[-1]))

    def refusals(self) -> Iterator[str]:
        """Yield the reasons for FAIL."""
        broken = [item for item in self.states if item.outcome is CaseOutcome.BROKEN]
        if broken:
            yield f"{number_of(len(broken), 'case')} broken: {names(broken)}"
        elif self.trial and self.trial.lost:
            # Next to a broken case this may be the same loss, reported twice.
            yield sentence.lost(self.trial, self._there)
        yield from self.below
        fell = [item for item in self.states if item.fell and item.outcome is not CaseOutcome.BROKEN]
        if fell:
            yield f"answers of {number_of(len(fell), 'case')} need more repair than before: {names(fell)}"
        must = [item for item in self._open_musts() if not item.improved]
        if must:
            yield f"{number_of(len(must), 'case')} still failing but must be fixed ({self._fixed_key}): {names(must)}"
        yield from (ratio.refusal(self._there) for ratio in self.ratios if ratio.over)

    def questions(self) -> Iterator[str]:
        """Yield the reasons for INCONCLUSIVE, each with what would decide."""
        if over := [item for item in self.states if item.case.expired]:
            yield sentence.expired(over)
        if not self.targets and not self.guards:
            yield f"no case passes or fails reliably {self._there}, so nothing can be compared; add cases that do"
        missing = [item for item in self.states if item.outcome is CaseOutcome.NO_ANSWER and self._needed(item)]
        if missing:
            yield f"no answer for {names(missing)}, which is required; run it again"
        yield from self._doubts()
        yield from (margin.open() for margin in self.margins if not margin.holds)
        yield from (ratio.question() for ratio in self.ratios if ratio.value is None)

    def _doubts(self) -> Iterator[str]:
        """Yield what more tries would decide."""
        if unstable := [item for item in self.states if item.outcome is CaseOutcome.UNSTABLE]:
            yield sentence.unstable(unstable, self._there)
        if self.trial and self.trial.maybe_lost:
            yield sentence.lost(self.trial, self._there)
        must = [item for item in self._open_musts() if item.improved]
        if must:
            yield sentence.unproven(must, "must be fixed", self._there)
        elif self.targets and not self.proven and not self.versus and self.trial:
            yield sentence.unproven(self.targets, "", self._there, self.holm)

    def bounds(self) -> Iterator[Bound]:
        """Yield the bounds of each margin; without one, what the clusters exclude that are not possibly broken."""
        confidence = self.holm.confidence
        for test in self.margins:
            count, loss = len(test.clusters), max(0.0, -test.difference.lower(confidence))
            yield Bound.of(test.tag, test.margin, count, loss, len(test.unsteady), confidence)
        found = clusters(self.guards)
        doubtful = sum(any(item.doubtful for item in cluster) for cluster in found)
        if not self.margins and doubtful < len(found):
            yield Bound.of("", None, len(found), None, doubtful, 1 - LEVEL)

    def kept(self) -> str:
        """Return what is proven in favour of the candidate, in words."""
        margins = "; ".join(margin.kept() for margin in self.margins)
        known = f" ({margins})" if margins else sentence.excluded(self.guards)
        said = f"{self.fixes}, {sentence.kept(self.guards)}{known}{sentence.unanswered(self.states)}"
        said += "" if self.trial is None else sentence.change(self.change)
        return said + "".join(f"; {ratio.name} ratio {ratio.value:.2f}" for ratio in self.ratios)

    @property
    def _there(self) -> str:
        return f"with {self.versus.champion}" if self.versus else "in production"

    @property
    def proven(self) -> bool:
        """True if a fix is proven."""
        return self.trial.fix_proven if self.trial else bool(self.fixed)

    def _open_musts(self) -> list[ComparedCase]:
        return [item for item in self.targets if self._must(item) and item.outcome is not CaseOutcome.FIXED]

    def _must(self, item: ComparedCase) -> bool:
        return not self.versus and (self.policy.fixed == "all" or item.case.critical)

    @property
    def _fixed_key(self) -> str:
        return "`gate: fixed: all`" if self.policy.fixed == "all" else "`tags: [critical]`"

    def _needed(self, item: ComparedCase) -> bool:
        # Without its answer such a case may hide what the gate must not let pass.
        return item.case.critical or (self._must(item) and not item.champion.passes)
