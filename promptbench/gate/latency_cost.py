"""Latencies and costs of a run's answers, for gates that bound them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import fsum, isnan, nan
from statistics import median


@dataclass(frozen=True, slots=True)
class LatencyCost:
    """The answers of one model to one prompt: milliseconds and US dollars in their order; nan is unknown."""

    times: array[float] = field(default_factory=lambda: array("d"))
    costs: array[float] = field(default_factory=lambda: array("d"))

    def add(self, time: float | None, cost: float | None) -> None:
        """Add an answer from the provider."""
        self.times.append(nan if time is None else time)
        self.costs.append(nan if cost is None else cost)

    @property
    def cost(self) -> float | None:
        """The mean cost of a call, whatever their order; None if one is unknown, or there is none."""
        total = fsum(self.costs)
        return None if isnan(total) or not self.costs else total / len(self.costs)

    @property
    def latency(self) -> float | None:
        """The median time of a call; None if one is unknown, or there is none."""
        return None if not self.times or any(map(isnan, self.times)) else median(self.times)
