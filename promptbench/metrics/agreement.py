"""How well two raters agree beyond chance, and whether a rating goes with length. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt

_Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution, for intervals of 95 %."""
_PSEUDO = 0.5


@dataclass(frozen=True, slots=True)
class Confusion:
    """Answers by what a person and a judge say of them: yes or no, the person first."""

    yes_yes: int = 0
    yes_no: int = 0
    no_yes: int = 0
    no_no: int = 0

    @classmethod
    def of(cls, human: Sequence[bool], judge: Sequence[bool]) -> Confusion:
        """Both say something of the same answers, in the same order."""
        counts = {(person, model): 0 for person in (True, False) for model in (True, False)}
        for pair in zip(human, judge, strict=True):
            counts[pair] += 1
        return cls(counts[True, True], counts[True, False], counts[False, True], counts[False, False])

    @property
    def total(self) -> int:
        return self.yes_yes + self.yes_no + self.no_yes + self.no_no

    def kappa(self) -> Kappa | None:
        """Cohen's kappa with its interval; None for nothing, and where both say the same one thing of all.

        The value is (po − pe) / (1 − pe) of the counts (Cohen 1960, Educational and Psychological Measurement
        20:37–46). The interval is kappa ± 1.96 standard errors with the large-sample variance of Fleiss, Cohen and
        Everitt (1969, Psychological Bulletin 72:323–327), of the counts with a half added to each: without that it is
        of no width where all agree, however few they are.
        """
        counts = (self.yes_yes, self.yes_no, self.no_yes, self.no_no)
        if not self.total or self.total in (self.yes_yes, self.no_no):
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
    """Cohen's kappa of a square table of counts, and its standard error: formulas 1 and 13 of Fleiss et al. (1969).

        σ² = (Σᵢ pᵢᵢ[(1 − pe) − (p.ᵢ + pᵢ.)(1 − po)]² + (1 − po)² Σᵢ≠ⱼ pᵢⱼ(p.ᵢ + pⱼ.)² − (po·pe − 2pe + po)²)
             / (n(1 − pe)⁴)

    Raises ZeroDivisionError for an empty table, and where both raters say the same one thing of everything.
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
    """The correlation of yes and no with a quantity, in [−1, 1]: Pearson's r with 1 and 0 for the flags.

    None where it is not defined: all flags or all values are the same. (Tate 1954, Annals of Mathematical Statistics
    25:603–607.)
    """
    count = len(flags)
    if not count:
        return None
    mean_flag, mean_value = sum(flags) / count, fsum(values) / count
    together = fsum((flag - mean_flag) * (value - mean_value) for flag, value in zip(flags, values, strict=True))
    flag_spread = fsum((flag - mean_flag) ** 2 for flag in flags)
    value_spread = fsum((value - mean_value) ** 2 for value in values)
    if not flag_spread or not value_spread:
        return None
    return max(-1.0, min(1.0, together / sqrt(flag_spread * value_spread)))
