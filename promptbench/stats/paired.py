"""The mean of paired differences, each in [−1, 1], with a bound that does not collapse where nothing differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from promptbench.stats.exact import student_above, student_quantile


@dataclass(frozen=True, slots=True)
class Paired:
    """`count` pairs by the sums Σd and Σd² of their differences d.

    The interval is Bonett and Price's for paired proportions (2012, Journal of Educational and Behavioral Statistics
    37:479), which adds one pair that went up and one that went down: W = n + 2, m = Σd / W, v = (Σd² + 2) / W − m². Two
    things are ours: Student's t with n − 1 degrees of freedom stands for z, and d may be fractional, as the difference
    of two shares over repeats is. With it a plain t interval, whose width is zero where no pair differs, is avoided.
    `tests/bench/gate_simulation.py` measures how often it errs.
    """

    count: int
    total: float
    squares: float

    @classmethod
    def of(cls, differences: Iterable[float]) -> Paired:
        count, total, squares = 0, 0.0, 0.0
        for difference in differences:
            count += 1
            total += difference
            squares += difference * difference
        return cls(count, total, squares)

    @property
    def mean(self) -> float:
        """The plain mean; 0.0 for no pairs."""
        return self.total / self.count if self.count else 0.0

    def lower(self, confidence: float = 0.95) -> float:
        """Return LB = m − t_{confidence, n−1} √(v / W), the one-sided lower bound of the mean.

        −1.0 for fewer than two.
        """
        if self.count < 2:
            return -1.0
        mean, error = self._plus_two()
        return mean - student_quantile(confidence, self.count - 1) * error

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the two-sided interval of the mean, cut at −1 and 1."""
        tail = (1.0 + confidence) / 2
        return max(-1.0, self.lower(tail)), min(1.0, -Paired(self.count, -self.total, self.squares).lower(tail))

    def p_above(self, bound: float) -> float:
        """Return the one-sided p that the mean is not above `bound`: the least 1 − confidence with `lower` above it."""
        if self.count < 2:
            return 1.0
        mean, error = self._plus_two()
        return student_above((mean - bound) / error, self.count - 1)

    def times(self, factor: float) -> Paired:
        """Return the result for `factor` times as many pairs of the same kind."""
        return Paired(round(self.count * factor), self.total * factor, self.squares * factor)

    def _plus_two(self) -> tuple[float, float]:
        # The mean and its standard error.
        weight = self.count + 2
        mean = self.total / weight
        return mean, sqrt(((self.squares + 2) / weight - mean * mean) / weight)
