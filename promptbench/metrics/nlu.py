"""Measures of labels, such as intents, from counts of expected and predicted labels.

Precision, recall and F1 of a label are as in information retrieval (van Rijsbergen 1979, Information Retrieval, ch. 7).
A division by zero is 0, as in scikit-learn with `zero_division=0`: a label that is never predicted has a precision of
0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from promptbench.core.types import Json

# The count of each pair of an expected and a predicted label; None if no label could be read.
Pairs = Mapping[tuple[str, str | None], int]


@dataclass(frozen=True, slots=True)
class LabelScore:
    """Precision, recall and F1 in [0, 1] over `support` expected labels or spans.

    `low` and `high` are the bounds of the 95 % bootstrap interval of the F1, if there is one.
    """

    precision: float
    recall: float
    f1: float
    support: int
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, right: float, said: float, expected: float) -> LabelScore:
        """Return the scores for counts. F1 is 2 · right / (said + expected), the harmonic mean."""
        return cls(
            right / said if said else 0.0,
            right / expected if expected else 0.0,
            2 * right / (said + expected) if said + expected else 0.0,
            round(expected),
        )


@dataclass(frozen=True, slots=True)
class Averages:
    """Averages over the labels: unweighted (macro), weighted by support, and over all items together (micro)."""

    macro: LabelScore
    micro: LabelScore
    weighted: LabelScore


def accuracy(pairs: Pairs, labels: Collection[str] | None = None) -> tuple[int, int]:
    """Return how many are right, and of how many. With `labels` only items that expect one of them count.

    Without the out-of-scope label it is the in-scope accuracy, for that label alone the out-of-scope recall (Larson et
    al. 2019, EMNLP, D19-1131).
    """
    counted = {pair: n for pair, n in pairs.items() if labels is None or pair[0] in labels}
    return sum(n for (expected, said), n in counted.items() if expected == said), sum(counted.values())


def by_label(pairs: Pairs) -> dict[str, LabelScore]:
    """Return the figures of each label that is expected at least once, ordered by name."""
    expected, said, right = _sums(pairs)
    return {label: LabelScore.of(right[label], said[label], expected[label]) for label in sorted(expected)}


def averages(pairs: Pairs) -> Averages:
    """Return averages over the labels that are expected: scikit-learn's with `labels=sorted(set(expected))`."""
    expected, said, right = _sums(pairs)
    each = [LabelScore.of(right[label], said[label], expected[label]) for label in expected]
    total = sum(expected.values())
    return Averages(
        macro=_mean(each, [1] * len(each), total),
        micro=LabelScore.of(right.total(), sum(said[label] for label in expected), total),
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


def _mean(each: Iterable[LabelScore], weights: Iterable[int], support: int) -> LabelScore:
    weighed = list(zip(each, weights, strict=True))
    whole = sum(weight for _, weight in weighed)
    if not whole:
        return LabelScore(0.0, 0.0, 0.0, support)

    def mean(name: str) -> float:
        return fsum(getattr(figures, name) * weight for figures, weight in weighed) / whole

    return LabelScore(mean("precision"), mean("recall"), mean("f1"), support)


# A span is right if its slot and both its ends are: the measure of the shared task of CoNLL-2000 (Tjong Kim Sang and
# Buchholz 2000, W00-0726, `conlleval`), micro-averaged over all spans. Without offsets a span is identified by
# its slot and its text.
_KEYS = {"slot", "value", "start", "end"}


@dataclass(frozen=True, slots=True)
class Span:
    """A slot with its value. `start` and `end` are offsets in characters, end excluded, or None if unknown."""

    slot: str
    value: str | None
    start: int | None = None
    end: int | None = None

    @property
    def has_offsets(self) -> bool:
        return self.start is not None and self.end is not None


@dataclass(frozen=True, slots=True)
class SpanComparison:
    """The spans that are right, missing, and unexpected."""

    right: Sequence[Span]
    missing: Sequence[Span]
    extra: Sequence[Span]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Return how many are right, how many the answer has, how many are expected."""
        right = len(self.right)
        return right, right + len(self.extra), right + len(self.missing)


def spans(value: Json) -> list[Span]:
    """Return the spans of `{slot: value}`, or of a list of objects with `slot` and `value`, or `start` and `end`.

    A value may be a list of values; null means no span. Raises ValueError.
    """
    if value is None:
        return []
    if isinstance(value, dict):
        return [
            Span(str(slot), _text(item))
            for slot, items in value.items()
            for item in (items if isinstance(items, list) else [items])
            if item is not None
        ]
    if isinstance(value, list):
        return [_span(item) for item in value]
    raise ValueError("slots are written as {slot: value}, or as a list of {slot: …, value: …, start: …, end: …}")


def _span(item: Json) -> Span:
    if not isinstance(item, dict) or not isinstance(item.get("slot"), str):
        raise ValueError("an item of the list of slots is not an object with a 'slot'")
    start, end = (item.get(name) for name in ("start", "end"))
    placed = all(isinstance(number, int) and not isinstance(number, bool) for number in (start, end))
    if not placed and item.get("value") is None:
        raise ValueError(f"the slot '{item['slot'][:50]}' has neither a value nor whole numbers as start and end")
    value = None if item.get("value") is None else _text(item["value"])
    return Span(item["slot"], value, start, end) if placed else Span(item["slot"], value)


def _text(value: Json) -> str:
    if isinstance(value, (dict, list)):
        raise ValueError("the value of a slot is a text or a number, or a list of them")
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def compare(expected: Sequence[Span], said: Sequence[Span]) -> SpanComparison:
    """Match each expected span with at most one. Offsets decide if all spans have them, else the texts."""
    placed = all(span.has_offsets for span in (*expected, *said))

    def key(span: Span) -> tuple[Json, ...]:
        return (span.slot, span.start, span.end) if placed else (span.slot, span.value)

    left = Counter(map(key, expected))
    right, extra = [], []
    for span in said:
        if left[key(span)] > 0:
            left[key(span)] -= 1
            right.append(span)
        else:
            extra.append(span)
    missing = []
    for span in reversed(expected):
        if left[key(span)] > 0:
            left[key(span)] -= 1
            missing.append(span)
    return SpanComparison(right, missing[::-1], extra)


def f1(right: float, said: float, expected: float) -> float:
    """Return the F1 of one utterance or of many; 1 if nothing is expected and there is nothing."""
    return 2 * right / (said + expected) if said + expected else 1.0


def counted(spans_of: Iterable[Span]) -> Counter[str]:
    """Return the number of spans of each slot."""
    return Counter(span.slot for span in spans_of)


BINS = 15
STEPS = 100


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Answers with a confidence in (low, high]: their mean confidence, and the share of right ones."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """Shares of right answers if all below a confidence were out of scope; None without such cases."""

    threshold: float
    in_scope: float | None
    out_of_scope: float | None


class Confidences:
    """Counts of answers by their confidence, in constant memory."""

    def __init__(self) -> None:
        self._count = [0] * BINS
        self._right = [0] * BINS
        self._sum = [0.0] * BINS
        # By hundredths of confidence: in scope and right, in scope and wrong, out of scope and right, and wrong.
        self._steps = [[0, 0, 0, 0] for _ in range(STEPS + 1)]

    def add(self, confidence: float, *, right: bool, in_scope: bool) -> None:
        """Count an answer with a confidence in [0, 1]. `right` is True if its label is, out of scope included."""
        bin_ = min(BINS - 1, max(0, -int(-confidence * BINS // 1) - 1))
        self._count[bin_] += 1
        self._right[bin_] += right
        self._sum[bin_] += confidence
        self._steps[int(confidence * STEPS + 1e-9)][(0 if in_scope else 2) + (not right)] += 1

    @property
    def total(self) -> int:
        return sum(self._count)

    def calibration_error(self) -> float | None:
        """Return the expected calibration error with 15 bins of equal width, in [0, 1]; None without answers.

        It is Σ |B|/n · |accuracy(B) − confidence(B)| (Guo et al. 2017, ICML, arXiv:1706.04599, formula 3).
        """
        if not self.total:
            return None
        return fsum(abs(right - said) for right, said in zip(self._right, self._sum, strict=True)) / self.total

    def bins(self) -> list[ConfidenceBin]:
        """Return the bins that are not empty."""
        return [
            ConfidenceBin(n / BINS, (n + 1) / BINS, count, self._sum[n] / count, self._right[n] / count)
            for n, count in enumerate(self._count)
            if count
        ]

    def thresholds(self) -> list[ThresholdRow]:
        """Return a row for each hundredth from 0 to 1 at which the shares change.

        Answers below it count as out of scope, and those that are out of scope already stay so.
        """
        in_scope = sum(right + wrong for right, wrong, _, _ in self._steps)
        out = sum(said + not_said for _, _, said, not_said in self._steps)
        right, found = sum(step[0] for step in self._steps), sum(step[2] for step in self._steps)

        def row(threshold: float) -> ThresholdRow:
            return ThresholdRow(threshold, right / in_scope if in_scope else None, found / out if out else None)

        rows = [row(0.0)]
        for number, step in enumerate(self._steps[:STEPS]):
            right, found = right - step[0], found + step[3]
            if step[0] or step[3]:
                rows.append(row((number + 1) / STEPS))
        return rows
