"""Agreement of two raters beyond chance, and the correlation of a rating with length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from statistics import StatisticsError, correlation

# The 97.5 % quantile of the normal distribution, for intervals of 95 %.
_Z = 1.959963984540054
_PSEUDO = 0.5


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of answers by the verdicts of a person and a judge: yes or no, the person first."""

    yes_yes: int = 0
    yes_no: int = 0
    no_yes: int = 0
    no_no: int = 0

    @classmethod
    def of(cls, human: Sequence[bool], judge: Sequence[bool]) -> Confusion:
        """Return the counts for verdicts on the same answers, in the same order."""
        counts = {(person, model): 0 for person in (True, False) for model in (True, False)}
        for pair in zip(human, judge, strict=True):
            counts[pair] += 1
        return cls(counts[True, True], counts[True, False], counts[False, True], counts[False, False])

    @property
    def total(self) -> int:
        return self.yes_yes + self.yes_no + self.no_yes + self.no_no

    def kappa(self) -> Kappa | None:
        """Return Cohen's kappa with its interval; None for fewer than two answers, or if all verdicts are the same.

        The value is (po − pe) / (1 − pe) of the counts (Cohen 1960, Educational and Psychological Measurement
        20:37–46). The interval is kappa ± 1.96 standard errors with the large-sample variance of Fleiss, Cohen and
        Everitt (1969, Psychological Bulletin 72:323–327), of the counts with a half added to each. Without that
        its width would be 0 for full agreement, even on a few answers.
        """
        counts = (self.yes_yes, self.yes_no, self.no_yes, self.no_no)
        if self.total < 2 or self.total in (self.yes_yes, self.no_no):
            return None
        smoothed = tuple(count + _PSEUDO for count in counts)
        middle, error = kappa_and_error(smoothed[:2], smoothed[2:])
        value, _ = kappa_and_error(counts[:2], counts[2:])
        low, high = min(value, middle - _Z * error), max(value, middle + _Z * error)
        return Kappa(value, max(-1.0, low), min(1.0, high))


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa in [−1, 1], 0 being chance, with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def kappa_and_error(*rows: Sequence[float]) -> tuple[float, float]:
    """Return Cohen's kappa of a square table of counts, and its standard error (Fleiss et al. 1969, formulas 1 and 13).

        σ² = (Σᵢ pᵢᵢ[(1 − pe) − (p.ᵢ + pᵢ.)(1 − po)]² + (1 − po)² Σᵢ≠ⱼ pᵢⱼ(p.ᵢ + pⱼ.)² − (po·pe − 2pe + po)²)
             / (n(1 − pe)⁴)

    Raises ZeroDivisionError for an empty table, and if all verdicts are the same.
    """
    total = fsum(fsum(row) for row in rows)
    share = [[count / total for count in row] for row in rows]
    kinds = range(len(rows))
    row_sums = [fsum(share[i]) for i in kinds]
    column_sums = [fsum(row[i] for row in share) for i in kinds]
    agreed = fsum(share[i][i] for i in kinds)
    chance = fsum(row_sums[i] * column_sums[i] for i in kinds)
    on = fsum(share[i][i] * ((1 - chance) - (column_sums[i] + row_sums[i]) * (1 - agreed)) ** 2 for i in kinds)
    off = fsum(share[i][j] * (column_sums[i] + row_sums[j]) ** 2 for i in kinds for j in kinds if i != j)
    spread = on + (1 - agreed) ** 2 * off - (agreed * chance - 2 * chance + agreed) ** 2
    return (agreed - chance) / (1 - chance), sqrt(max(0.0, spread) / total) / (1 - chance) ** 2


def point_biserial(flags: Sequence[bool], values: Sequence[float]) -> float | None:
    """Return the correlation of flags with values, in [−1, 1]: Pearson's r with 1 and 0 for the flags.

    None if it is not defined: all flags or all values are the same. (Tate 1954, Annals of Mathematical Statistics
    25:603–607.)
    """
    try:
        return max(-1.0, min(1.0, correlation(list(map(int, flags)), values)))
    except StatisticsError:
        return None
