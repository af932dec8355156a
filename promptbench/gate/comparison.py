"""Compare candidate and champion on one model: what speaks against the candidate, what is open, what is proven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from promptbench.core.words import number_of
from promptbench.gate import sentence
from promptbench.gate.case_outcomes import CaseOutcome, ComparedCase, p_of_fix, repeats_to_fix
from promptbench.gate.margin import MarginTest
from promptbench.gate.policy import AUTO, ComparisonLabels, HolmCorrection, Policy
from promptbench.gate.ratios import Ratio
from promptbench.gate.sentence import names
from promptbench.stats.holm import simes


@dataclass(frozen=True)
class Comparison:
    """`below` are the floors that the candidate misses, `ratios` the gate's bounds on cost and time.

    With `versus` the question is only whether the candidate is worse: nothing has to be fixed.
    """

    states: Sequence[ComparedCase]
    policy: Policy
    deterministic: bool
    holm: HolmCorrection
    below: Sequence[str]
    ratios: Sequence[Ratio]
    versus: ComparisonLabels | None = None

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
        first = 1 if self.deterministic else self.policy.repeats
        return [MarginTest(guards, float(margin), self.holm, first, tag) for tag, margin, guards in tests]

    @property
    def fixes(self) -> str:
        """How many failing cases are fixed, in words."""
        return sentence.fixes(self.states, self.targets, self.fixed)

    @property
    def p(self) -> float:
        """The p of the claim that the candidate fixes something and keeps within the margins.

        Holm's procedure ranks candidates by it. It is the largest p of all that the claim needs (Berger 1982,
        Technometrics 24:295). Of the fixes it needs each mandatory one; if none is, Simes' p that any target is fixed.
        Fixes on a deterministic model are facts and have no p, nor have guards without a margin; then 0.0.
        """
        return max([self._p_of_fixes, *(margin.p for margin in self.margins)])

    @property
    def _p_of_fixes(self) -> float:
        if self.deterministic or not self.fixed:
            return 0.0
        mandatory = [p_of_fix(item) for item in self.fixed if self._must(item)]
        return max(mandatory) if mandatory else simes([p_of_fix(item) for item in self.targets])

    def refusals(self) -> Iterator[str]:
        """Yield the reasons for FAIL."""
        broken = [item for item in self.guards if item.outcome is CaseOutcome.BROKEN]
        if broken:
            yield f"{number_of(len(broken), 'case')} broken: {names(broken)}"
        yield from self.below
        fell = [item for item in self.states if item.fell and item.outcome is not CaseOutcome.BROKEN]
        if fell:
            yield f"answers of {number_of(len(fell), 'case')} need more repair than before: {names(fell)}"
        must = [item for item in self.targets if item.outcome is not CaseOutcome.FIXED and self._must(item)]
        if must:
            yield f"{number_of(len(must), 'case')} still failing but must be fixed: {names(must)}"
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
        unstable = [item for item in self.guards if item.outcome is CaseOutcome.UNSTABLE and item.case.critical]
        if unstable:
            yield sentence.critical_unstable(unstable)
        better = [item for item in self.targets if item.improved]
        if self.targets and not self.fixed and better and not (self.deterministic or self.versus):
            yield sentence.improved(better)
        if self.holm.candidates > 1 and self._p_of_fixes > self.holm.level:
            yield self._too_many_candidates()
        yield from (margin.open() for margin in self.margins if not margin.holds)
        yield from (ratio.question() for ratio in self.ratios if ratio.value is None)

    def kept(self) -> str:
        """Return what is proven in favour of the candidate, in words."""
        margins = "; ".join(margin.kept() for margin in self.margins)
        known = f" ({margins})" if margins else sentence.excluded(self.guards)
        said = f"{self.fixes}, {sentence.kept(self.guards)}{known}{sentence.unanswered(self.states)}"
        return said + "".join(f"; {ratio.name} ratio {ratio.value:.2f}" for ratio in self.ratios)

    @property
    def _there(self) -> str:
        return f"with {self.versus.champion}" if self.versus else "in production"

    def _must(self, item: ComparedCase) -> bool:
        return not self.versus and (self.policy.fixed == "all" or item.case.critical)

    def _needed(self, item: ComparedCase) -> bool:
        # Without its answer such a case may hide what the gate must not let pass.
        return item.case.critical or (self._must(item) and not item.champion.passes)

    def _too_many_candidates(self) -> str:
        level, must = self.holm.level, [item for item in self.fixed if self._must(item)]
        if must:
            counts = [repeats_to_fix(item, level) or 0 for item in must]
            enough = max(counts) if all(counts) else 0
        else:
            # One fix at its share of the level is enough for Simes' p.
            counts = [repeats_to_fix(item, level / len(self.targets)) or 0 for item in self.fixed]
            enough = min(filter(None, counts), default=0)
        decide = "more repeats would not decide, fewer candidates at once would"
        if enough:
            decide = f"at these rates 'repeats: {enough}' would decide"
        several = f"among {self.holm.candidates} candidates"
        return f"no fix is significant {several}: p = {self._p_of_fixes:.3f}, needed {level:.3f}; {decide}"
