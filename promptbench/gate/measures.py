"""What the answers of a run took: times and costs, for gates that bound them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import fsum, isnan, nan
from statistics import median

from promptbench.core.types import Attempt


def _numbers() -> array[float]:
    return array("d")


@dataclass(frozen=True, slots=True)
class Measures:
    """Of the answers that one prompt got from one model: milliseconds and US dollars, in the order they came; nan is
    unknown.
    """

    times: array[float] = field(default_factory=_numbers)
    costs: array[float] = field(default_factory=_numbers)

    def add(self, attempt: Attempt) -> None:
        """Takes in an attempt with an answer that was asked for."""
        self.times.append(attempt.answer.provider_ms if attempt.answer else nan)
        self.costs.append(nan if attempt.cost is None else attempt.cost)

    @property
    def cost(self) -> float | None:
        """The mean of a call, however the calls are ordered; None when one is unknown, or there is none."""
        total = fsum(self.costs)
        return None if isnan(total) or not self.costs else total / len(self.costs)

    @property
    def latency(self) -> float | None:
        """The median of the calls."""
        return None if not self.times or any(map(isnan, self.times)) else median(self.times)
