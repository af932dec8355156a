"""Which of several choices no other one is better than in everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def front(points: Mapping[str, Sequence[float]]) -> list[str]:
    """The names whose points are not dominated, in order; less is better in each coordinate.

    One dominates another that is nowhere less and somewhere more (Pareto). Equal points are on the front together.
    """
    return [
        name
        for name, point in points.items()
        if not any(_dominates(other, point) for rival, other in points.items() if rival != name)
    ]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
