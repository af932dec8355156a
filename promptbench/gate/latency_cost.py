"""Latencies and costs of a run's answers, for gates that bound them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import fsum, isnan, nan
from statistics import median

from promptbench.core.types import Attempt


def _doubles() -> array[float]:
    return array("d")


@dataclass(frozen=True, slots=True)
class LatencyCost:
    """The answers of one model to one prompt: milliseconds and US dollars in their order; nan is unknown."""

    times: array[float] = field(default_factory=_doubles)
    costs: array[float] = field(default_factory=_doubles)

    def add(self, attempt: Attempt) -> None:
        """Add an attempt that has an answer from the provider."""
        self.times.append(attempt.answer.provider_ms if attempt.answer else nan)
        self.costs.append(nan if attempt.cost is None else attempt.cost)

    @property
    def cost(self) -> float | None:
        """The mean cost of a call, whatever their order; None if one is unknown, or there is none."""
        total = fsum(self.costs)
        return None if isnan(total) or not self.costs else total / len(self.costs)

    @property
    def latency(self) -> float | None:
        """The median time of a call; None if one is unknown, or there is none."""
        return None if not self.times or any(map(isnan, self.times)) else median(self.times)
