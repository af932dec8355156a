"""What a candidate costs and how long it takes, as ratios to the champion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from promptbench.gate.measures import Measures
from promptbench.gate.policy import Policy
from promptbench.gate.sentence import figures_apart


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure of candidate and champion beside the most that the gate lets it grow to; None is unknown."""

    name: str
    limit: float
    candidate: float | None
    champion: float | None

    @property
    def value(self) -> float | None:
        """Nothing to nothing is 1, something to nothing is infinite."""
        if self.candidate is None or self.champion is None:
            return None
        if self.champion == 0:
            return inf if self.candidate else 1.0
        return self.candidate / self.champion

    @property
    def over(self) -> bool:
        return self.value is not None and self.value > self.limit

    def refusal(self, there: str = "in production") -> str:
        """How far it is over the limit, with both figures; `there` says where the champion's is from."""
        assert self.value is not None
        value, limit = figures_apart(self.value, self.limit, 2)
        return f"{self.name} ratio {value} is above {limit}: {self._said(self.candidate)}, {there} " + (
            self._said(self.champion)
        )

    def question(self) -> str:
        """That it is not known, and what would tell it."""
        tells = "a price in the file that the setting 'prices' names" if self.name == "cost" else "asking again"
        return f"the {self.name} of a call is unknown, so its ratio is too; {tells} would decide"

    def _said(self, figure: float | None) -> str:
        if self.name == "cost":
            return f"${(figure or 0) * 1000:.4g} per 1,000 calls"
        return f"a median of {figure or 0:.0f} ms"


def ratios(champion: Measures, candidate: Measures, policy: Policy) -> Iterator[Ratio]:
    """Those that the policy bounds."""
    if policy.cost_ratio is not None:
        yield Ratio("cost", policy.cost_ratio, candidate.cost, champion.cost)
    if policy.latency_ratio is not None:
        yield Ratio("latency", policy.latency_ratio, candidate.latency, champion.latency)
