"""Measures of labels, such as intents, from counts of expected and predicted labels.

Precision, recall and F1 of a label are as in information retrieval (van Rijsbergen 1979, Information Retrieval, ch. 7).
A division by zero is 0, as in scikit-learn with `zero_division=0`: a label that is never predicted has a precision of
0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import fsum

# The count of each pair of an expected and a predicted label; None if no label could be read.
Pairs = Mapping[tuple[str, str | None], int]


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """Precision, recall and F1 in [0, 1], of `support` expected items."""

    precision: float
    recall: float
    f1: float
    support: int

    @classmethod
    def of(cls, right: float, said: float, expected: float) -> LabelFigures:
        """Return the figures for counts. F1 is 2 · right / (said + expected), the harmonic mean."""
        return cls(
            right / said if said else 0.0,
            right / expected if expected else 0.0,
            2 * right / (said + expected) if said + expected else 0.0,
            round(expected),
        )


@dataclass(frozen=True, slots=True)
class Averages:
    """Averages over the labels: unweighted (macro), weighted by support, and over all items together (micro)."""

    macro: LabelFigures
    micro: LabelFigures
    weighted: LabelFigures


def accuracy(pairs: Pairs, labels: Collection[str] | None = None) -> tuple[int, int]:
    """Return how many are right, and of how many. With `labels` only items that expect one of them count.

    Without the out-of-scope label it is the in-scope accuracy, for that label alone the out-of-scope recall (Larson et
    al. 2019, EMNLP, D19-1131).
    """
    counted = {pair: n for pair, n in pairs.items() if labels is None or pair[0] in labels}
    return sum(n for (expected, said), n in counted.items() if expected == said), sum(counted.values())


def by_label(pairs: Pairs) -> dict[str, LabelFigures]:
    """Return the figures of each label that is expected at least once, ordered by name."""
    expected, said, right = _sums(pairs)
    return {label: LabelFigures.of(right[label], said[label], expected[label]) for label in sorted(expected)}


def averages(pairs: Pairs) -> Averages:
    """Return averages over the labels that are expected: scikit-learn's with `labels=sorted(set(expected))`."""
    expected, said, right = _sums(pairs)
    each = [LabelFigures.of(right[label], said[label], expected[label]) for label in expected]
    total = sum(expected.values())
    return Averages(
        macro=_mean(each, [1] * len(each), total),
        micro=LabelFigures.of(right.total(), sum(said[label] for label in expected), total),
        weighted=_mean(each, [figures.support for figures in each], total),
    )


def macro_f1(pairs: Pairs) -> float:
    """Return the macro average of F1 alone, for many resamples of the counts; 0 without labels."""
    expected, said, right = _sums(pairs)
    each = [2 * right[label] / (said[label] + count) for label, count in expected.items()]
    return fsum(each) / len(each) if each else 0.0


def confusions(pairs: Pairs, most: int | None = None) -> list[tuple[str, str, int]]:
    """Return wrong pairs of an expected and a predicted label with their counts, the most frequent first."""
    wrong = [(expected, said, n) for (expected, said), n in pairs.items() if said is not None and said != expected]
    return sorted(wrong, key=lambda item: (-item[2], item[:2]))[:most]


def _sums(pairs: Pairs) -> tuple[Counter[str], Counter[str], Counter[str]]:
    # How often each label was expected, predicted, and predicted rightly.
    expected: Counter[str] = Counter()
    said: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for (wanted, got), count in pairs.items():
        if not count:
            continue
        expected[wanted] += count
        if got is not None:
            said[got] += count
        if wanted == got:
            right[wanted] += count
    return expected, said, right


def _mean(each: Iterable[LabelFigures], weights: Iterable[int], support: int) -> LabelFigures:
    weighed = list(zip(each, weights, strict=True))
    whole = sum(weight for _, weight in weighed)
    if not whole:
        return LabelFigures(0.0, 0.0, 0.0, support)

    def mean(name: str) -> float:
        return fsum(getattr(figures, name) * weight for figures, weight in weighed) / whole

    return LabelFigures(mean("precision"), mean("recall"), mean("f1"), support)
