"""The bounds that a verdict's guards prove, as figures for the evidence; the sentence has them in words."""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.stats.exact import clopper_pearson_upper

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

    @classmethod
    def of(
        cls, tag: str, margin: float | None, clusters: int, loss: float | None, broken: int, confidence: float
    ) -> Bound:
        """Compute the bound on the share that breaks if `broken` of the clusters are."""
        breaks = clopper_pearson_upper(broken, clusters, confidence)
        return cls(tag, margin, clusters, None if loss is None else round(loss, _DIGITS), round(breaks, _DIGITS))
