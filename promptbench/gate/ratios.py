"""The ratios of the candidate's cost and latency to the champion's."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from promptbench.gate.latency_cost import LatencyCost
from promptbench.gate.policy import Policy
from promptbench.gate.sentence import distinct_numbers


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure of candidate and champion, and the largest ratio that the gate allows; None is unknown."""

    name: str
    limit: float
    candidate: float | None
    champion: float | None

    @property
    def value(self) -> float | None:
        """Candidate / champion; 0 / 0 is 1, and anything else / 0 is infinite."""
        if self.candidate is None or self.champion is None:
            return None
        if self.champion == 0:
            return inf if self.candidate else 1.0
        return self.candidate / self.champion

    @property
    def over(self) -> bool:
        """True if the ratio is known and above the limit."""
        return self.value is not None and self.value > self.limit

    def refusal(self, there: str = "in production") -> str:
        """Return how far the ratio is above the limit, with both figures; `there` names the champion's side."""
        assert self.value is not None
        value, limit = distinct_numbers(self.value, self.limit, 2)
        figures = f"{self._figure(self.candidate)}, {there} {self._figure(self.champion)}"
        return f"{self.name} ratio {value} is above {limit} (`gate: {self.name} ratio`): {figures}"

    def question(self) -> str:
        """Return that the ratio is unknown, and what would decide."""
        decides = "a price in the file of the setting 'prices'" if self.name == "cost" else "another run"
        return f"the {self.name} of a call is unknown, so its ratio is too; {decides} would decide"

    def _figure(self, figure: float | None) -> str:
        if self.name == "cost":
            return f"${(figure or 0) * 1000:.4g} per 1,000 calls"
        return f"a median of {figure or 0:.0f} ms"


def ratios(champion: LatencyCost, candidate: LatencyCost, policy: Policy) -> Iterator[Ratio]:
    """Yield the ratios that the policy bounds."""
    if policy.cost_ratio is not None:
        yield Ratio("cost", policy.cost_ratio, candidate.cost, champion.cost)
    if policy.latency_ratio is not None:
        yield Ratio("latency", policy.latency_ratio, candidate.latency, champion.latency)
