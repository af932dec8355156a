"""Candidate beside champion on one model: what speaks against it, what is open, and how sure the rest is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from promptbench.core.words import number_of
from promptbench.gate.flips import CaseFlip, Flip, p_of_fix, repeats_to_fix
from promptbench.gate.margin import Guarded
from promptbench.gate.policy import AUTO, Among, Policy, Versus
from promptbench.gate.ratios import Ratio
from promptbench.gate.sentence import (
    excluded,
    expired,
    fixes,
    improved,
    kept,
    names,
    shaky,
    silent,
)
from promptbench.stats.holm import simes


@dataclass(frozen=True)
class Comparison:
    """`below` are the floors that the candidate does not reach, `ratios` what the gate wants of costs and times;
    with `versus` nothing has to be fixed.
    """

    states: Sequence[CaseFlip]
    policy: Policy
    deterministic: bool
    among: Among
    below: Sequence[str]
    ratios: Sequence[Ratio]
    versus: Versus | None = None

    @cached_property
    def targets(self) -> list[CaseFlip]:
        return [item for item in self.states if item.target]

    @cached_property
    def fixed(self) -> list[CaseFlip]:
        return [item for item in self.targets if item.flip is Flip.FIXED]

    @cached_property
    def guards(self) -> list[CaseFlip]:
        return [item for item in self.states if item.guard]

    @cached_property
    def margins(self) -> list[Guarded]:
        """What the guards say about the gate's margin and those of its tags."""
        asked = [] if self.policy.margin == AUTO else [("", self.policy.margin, self.guards)]
        for tag, wants in self.policy.tags.items():
            if wants.margin is not None:
                tagged = [item for item in self.guards if tag in item.case.tags]
                asked.append((f" of '{tag}'", wants.margin, tagged))
        first = 1 if self.deterministic else self.policy.repeats
        return [Guarded(guards, float(margin), self.among, first, about) for about, margin, guards in asked]

    @property
    def failure(self) -> str:
        return "failure" if self.deterministic else "reproduced failure"

    @property
    def fixes(self) -> str:
        return fixes(self.states, self.targets, self.fixed, self.failure)

    @property
    def p(self) -> float:
        """The p of the claim that the candidate fixes something and keeps within the margins, by which Holm's procedure
        ranks candidates: the largest p of all that the claim needs (Berger 1982, Technometrics 24:295).

        Of the fixes it needs each that is mandatory; where none is, Simes' p that any target is fixed. On a
        deterministic model fixes are facts and have no p, and nor has a gate without margins one for its guards: what
        is left then is 0.0.
        """
        return max([self._p_of_fixes, *(margin.p for margin in self.margins)])

    @property
    def _p_of_fixes(self) -> float:
        if self.deterministic or not self.fixed:
            return 0.0
        mandatory = [p_of_fix(item) for item in self.fixed if self._must(item)]
        return max(mandatory) if mandatory else simes([p_of_fix(item) for item in self.targets])

    def refusals(self) -> Iterator[str]:
        """What makes the answer no, whatever else is good."""
        broken = [item for item in self.guards if item.flip is Flip.BROKEN]
        if broken:
            yield f"{number_of(len(broken), 'case')} broken: {names(broken)}"
        yield from self.below
        fell = [item for item in self.states if item.fell and item.flip is not Flip.BROKEN]
        if fell:
            yield f"{number_of(len(fell), 'answer')} fell on the format ladder: {names(fell)}"
        must = [item for item in self.targets if item.flip is not Flip.FIXED and self._must(item)]
        if must:
            yield f"{number_of(len(must), 'case')} still failing and must be fixed: {names(must)}"
        yield from (ratio.refusal(self._there) for ratio in self.ratios if ratio.over)

    def questions(self) -> Iterator[str]:
        """What is still open, and what would decide it."""
        if over := [item for item in self.states if item.case.expired]:
            yield expired(over)
        if not self.targets and not self.guards:
            yield f"no case passes or fails surely {self._there}, so nothing can be compared; bring cases that do"
        missing = [item for item in self.states if item.flip is Flip.NO_ANSWER and self._needed(item)]
        if missing:
            yield f"no answer at {names(missing)}, which must be known; run it again"
        unstable = [item for item in self.guards if item.flip is Flip.UNSTABLE and item.case.critical]
        if unstable:
            yield shaky(unstable)
        better = [item for item in self.targets if item.improved]
        if self.targets and not self.fixed and better and not (self.deterministic or self.versus):
            yield improved(better)
        if self.among.candidates > 1 and self._p_of_fixes > self.among.level:
            yield self._too_many_candidates()
        yield from (margin.open() for margin in self.margins if not margin.holds)
        yield from (ratio.question() for ratio in self.ratios if ratio.value is None)

    def kept(self) -> str:
        """What speaks for it."""
        margins = "; ".join(margin.kept() for margin in self.margins)
        known = f" ({margins})" if margins else excluded(self.guards)
        said = f"{self.fixes}, {kept(self.guards)}{known}{silent(self.states)}"
        return said + "".join(f"; {ratio.name} ratio {ratio.value:.2f}" for ratio in self.ratios)

    @property
    def _there(self) -> str:
        """Where the champion is, in the words of a sentence."""
        return f"with {self.versus.champion}" if self.versus else "in production"

    def _must(self, item: CaseFlip) -> bool:
        return not self.versus and (self.policy.fixed == "all" or item.case.critical)

    def _needed(self, item: CaseFlip) -> bool:
        """Whether a case without an answer may hide what the gate must not let pass."""
        return item.case.critical or (self._must(item) and not item.champion.passes)

    def _too_many_candidates(self) -> str:
        """That the fixes are not as sure as they must be among so many candidates."""
        level, must = self.among.level, [item for item in self.fixed if self._must(item)]
        if must:
            counts = [repeats_to_fix(item, level) or 0 for item in must]
            enough = max(counts) if all(counts) else 0
        else:
            # One fix at its share of the level is enough for Simes' p.
            counts = [repeats_to_fix(item, level / len(self.targets)) or 0 for item in self.fixed]
            enough = min(filter(None, counts), default=0)
        decide = "; more repeats would not decide, fewer candidates at once would"
        if enough:
            decide = f"; at these rates 'repeats: {enough}' would decide"
        several = f"among {self.among.candidates} candidates"
        return f"the fixes are not sure enough {several}: p = {self._p_of_fixes:.3f}, and {level:.3f} is asked{decide}"
