"""The bounds that a verdict's guards prove, as figures for the evidence; the sentence has them in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from promptbench.gate.case_outcomes import CaseOutcome
from promptbench.gate.clusters import clusters
from promptbench.gate.comparison import Comparison
from promptbench.stats.beta import clopper_pearson_upper
from promptbench.stats.exact import excluded_rate

# Another machine may compute different last digits when it judges the evidence again.
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Bound:
    """Upper bounds at one level over the clusters of guards, all of them or those of a `tag`.

    `loss` bounds the mean loss of passes, None if no `margin` asks for it; `breaks` bounds the share that breaks.
    """

    tag: str
    margin: float | None
    clusters: int
    loss: float | None
    breaks: float


def bounds(comparison: Comparison) -> Iterator[Bound]:
    """Yield the bounds of each margin; without a margin, what the stable clusters exclude."""
    confidence = comparison.holm.confidence
    for test in comparison.margins:
        count = len(test.clusters)
        loss = max(0.0, -test.difference.lower(confidence))
        breaks = clopper_pearson_upper(len(test.unsteady), count, confidence)
        yield Bound(test.tag, test.margin, count, round(loss, _DIGITS), round(breaks, _DIGITS))
    if not comparison.margins:
        held = sum(
            all(item.outcome is not CaseOutcome.UNSTABLE for item in cluster) for cluster in clusters(comparison.guards)
        )
        if held:
            yield Bound("", None, held, None, round(excluded_rate(held), _DIGITS))
