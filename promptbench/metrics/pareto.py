"""The Pareto front: what nothing else beats in all that counts."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def front(points: Mapping[Name, Sequence[float]]) -> list[Name]:
    """Return the names of points that no other one dominates, in their order. Less is better in each coordinate.

    A point dominates another if it is nowhere more and somewhere less. Equal points are on the front together.
    """
    return [
        name
        for name, point in points.items()
        if not any(_dominates(other, point) for rival, other in points.items() if rival != name)
    ]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
