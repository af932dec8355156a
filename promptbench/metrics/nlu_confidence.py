"""Calibration of a classifier's confidence, and the effect of thresholds below which it abstains."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

BINS = 15
STEPS = 100


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers with a confidence in (low, high]: their count, mean confidence, and share that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """The counts if every answer with a confidence below `threshold` were out of scope."""

    threshold: float
    in_scope_right: int
    in_scope: int
    out_of_scope_right: int
    out_of_scope: int


class Confidences:
    """Counts of answers by their confidence, in constant memory."""

    def __init__(self) -> None:
        self._count = [0] * BINS
        self._right = [0] * BINS
        self._sum = [0.0] * BINS
        # By hundredths of confidence: in scope and right, in scope and wrong, out of scope and right, and wrong.
        self._steps = [[0, 0, 0, 0] for _ in range(STEPS + 1)]

    def add(self, confidence: float, *, right: bool, in_scope: bool) -> None:
        """Count an answer with a confidence in [0, 1]. `right` is True if its label is, out of scope included."""
        bin_ = min(BINS - 1, max(0, -int(-confidence * BINS // 1) - 1))
        self._count[bin_] += 1
        self._right[bin_] += right
        self._sum[bin_] += confidence
        self._steps[int(confidence * STEPS + 1e-9)][(0 if in_scope else 2) + (not right)] += 1

    @property
    def total(self) -> int:
        return sum(self._count)

    def calibration_error(self) -> float | None:
        """Return the expected calibration error with 15 bins of equal width, in [0, 1]; None without answers.

        It is Σ |B|/n · |accuracy(B) − confidence(B)| (Guo et al. 2017, ICML, arXiv:1706.04599, formula 3).
        """
        if not self.total:
            return None
        return fsum(abs(right - said) for right, said in zip(self._right, self._sum, strict=True)) / self.total

    def bins(self) -> list[Bin]:
        """Return the bins that are not empty."""
        return [
            Bin(n / BINS, (n + 1) / BINS, count, self._sum[n] / count, self._right[n] / count)
            for n, count in enumerate(self._count)
            if count
        ]

    def thresholds(self) -> list[Threshold]:
        """Return a row for each hundredth from 0 to 1 at which the counts change.

        Answers below it count as out of scope, and those that are out of scope already stay so.
        """
        in_scope = sum(right + wrong for right, wrong, _, _ in self._steps)
        out = sum(said + not_said for _, _, said, not_said in self._steps)
        right, found = sum(step[0] for step in self._steps), sum(step[2] for step in self._steps)
        rows = [Threshold(0.0, right, in_scope, found, out)]
        for number, step in enumerate(self._steps[:STEPS]):
            right, found = right - step[0], found + step[3]
            if step[0] or step[3]:
                rows.append(Threshold((number + 1) / STEPS, right, in_scope, found, out))
        return rows
