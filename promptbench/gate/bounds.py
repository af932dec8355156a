"""What the guards of a verdict exclude, as figures: for the evidence, whose sentence has them in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from promptbench.gate.clusters import clusters
from promptbench.gate.comparison import Comparison
from promptbench.gate.flips import Flip
from promptbench.gate.margin import Guarded
from promptbench.stats.beta import clopper_pearson_upper
from promptbench.stats.exact import excluded_rate

_DIGITS = 9
"""Whoever judges again on another machine may differ in the last digits of a float."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Upper bounds at one level over the clusters of guards, all of them or those of a `tag`.

    `loss` is that of the mean loss of passes, None where no `margin` asks for it; `breaks` that of the share that
    breaks.
    """

    tag: str
    margin: float | None
    clusters: int
    loss: float | None
    breaks: float


def bounds(comparison: Comparison) -> Iterator[Bound]:
    """One for each margin; where there is none, what the clusters that held exclude."""
    confidence = comparison.among.confidence
    for guarded in comparison.margins:
        count = len(guarded.clusters)
        loss = max(0.0, -guarded.difference.lower(confidence))
        breaks = clopper_pearson_upper(len(guarded.unsteady), count, confidence)
        yield Bound(_tag(guarded), guarded.margin, count, round(loss, _DIGITS), round(breaks, _DIGITS))
    if not comparison.margins:
        held = [all(item.flip is not Flip.UNSTABLE for item in cluster) for cluster in clusters(comparison.guards)]
        if any(held):
            yield Bound("", None, sum(held), None, round(excluded_rate(sum(held)), _DIGITS))


def _tag(guarded: Guarded) -> str:
    return guarded.about.removeprefix(" of ").strip("'")
