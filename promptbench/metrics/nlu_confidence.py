"""What the confidence of a classifier is worth: its calibration, and thresholds below which it should abstain."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

BINS = 15
STEPS = 100


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers with a confidence in (low, high]: how many, their mean confidence, and the share that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """What would be so if every answer below `threshold` were out of scope."""

    threshold: float
    in_scope_right: int
    in_scope: int
    out_of_scope_right: int
    out_of_scope: int


class Confidences:
    """Adds up answers with their confidence, in memory that does not grow."""

    def __init__(self) -> None:
        self._count = [0] * BINS
        self._right = [0] * BINS
        self._sum = [0.0] * BINS
        # By hundredths of confidence: in scope and right, in scope and wrong, out of scope and said so, and not.
        self._steps = [[0, 0, 0, 0] for _ in range(STEPS + 1)]

    def add(self, confidence: float, *, right: bool, in_scope: bool) -> None:
        """`confidence` is in [0, 1]; `right` is whether the label is, also where that is the out-of-scope one."""
        bin_ = min(BINS - 1, max(0, -int(-confidence * BINS // 1) - 1))
        self._count[bin_] += 1
        self._right[bin_] += right
        self._sum[bin_] += confidence
        self._steps[int(confidence * STEPS + 1e-9)][(0 if in_scope else 2) + (not right)] += 1

    @property
    def total(self) -> int:
        return sum(self._count)

    def calibration_error(self) -> float | None:
        """The expected calibration error with 15 bins of equal width, in [0, 1], None for nothing:
        Σ |B|/n · |accuracy(B) − confidence(B)| (Guo et al. 2017, ICML, arXiv:1706.04599, formula 3).
        """
        if not self.total:
            return None
        return fsum(abs(right - said) for right, said in zip(self._right, self._sum, strict=True)) / self.total

    def bins(self) -> list[Bin]:
        """The bins with something in them."""
        return [
            Bin(n / BINS, (n + 1) / BINS, count, self._sum[n] / count, self._right[n] / count)
            for n, count in enumerate(self._count)
            if count
        ]

    def thresholds(self) -> list[Threshold]:
        """A row for each hundredth from 0 to 1 at which something changes: what is below it is out of scope.

        What already says that it is out of scope stays so.
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
