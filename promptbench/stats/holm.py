"""Tests of several claims at once."""

from collections.abc import Sequence


def simes(p_values: Sequence[float]) -> float:
    """Return the p of the claim that any of independent null hypotheses is false: the least m p₍ₖ₎ / k over the ordered
    p (Simes 1986, Biometrika 73:751). 1.0 for none.
    """
    count = len(p_values)
    return min((count * p / rank for rank, p in enumerate(sorted(p_values), 1)), default=1.0)


def holm_levels(p_values: Sequence[float], level: float = 0.05) -> list[float]:
    """Return, for each p, the level that it must not exceed, so that any false claim is accepted with a probability of
    at most `level`, whatever the dependence (Holm 1979, Scandinavian Journal of Statistics 6:65).

    The smallest of m gets level / m, the next one level / (m − 1), and so on until one is above its level; those after
    it get the same, so that they are above it too.
    """
    left = len(p_values)
    levels = [level] * left
    accepted = True
    for index in sorted(range(len(p_values)), key=p_values.__getitem__):
        levels[index] = level / left
        accepted = accepted and p_values[index] <= levels[index]
        left -= accepted
    return levels
