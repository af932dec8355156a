"""What a report says of intents and slots: figures as plain data, and the lines that show them to a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptbench.core.words import number_of
from promptbench.report.words import excerpt

_CONFUSED = 3
_OUTSIDE = 5
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Part:
    """How many of `of` are right, with the exact bounds of 95 % on that share (Clopper and Pearson 1934)."""

    right: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.right / self.of


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 in [0, 1] of `support` expected labels or spans. `low` and `high` are the bounds of the
    95 % bootstrap interval of the F1, where there is one.
    """

    precision: float
    recall: float
    f1: float
    support: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Confused:
    """What was said for what was expected, how often, and how often the other way round; with an example."""

    expected: str
    said: str
    count: int
    back: int
    case: str
    text: str


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Answers with a confidence in (low, high]: their mean confidence, and the share that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """Shares right if all below a confidence were out of scope; None where there is none of that kind."""

    threshold: float
    in_scope: float | None
    out_of_scope: float | None


@dataclass(frozen=True, slots=True)
class Confidence:
    """What the confidence of `count` answers is worth. `error` is the expected calibration error, in [0, 1]."""

    count: int
    error: float
    bins: Sequence[ConfidenceBin]
    thresholds: Sequence[ThresholdRow]


@dataclass(frozen=True, slots=True)
class NluSummary:
    """One prompt on one model, by its first answer to each case. None where no case expects such a thing.

    `accuracy` is of all labels, `in_scope` of those that are not the out-of-scope label, `out_of_scope` of that one:
    its recall. `exact` are answers with the intent and all slots right. `outside` are labels that were said and are
    none, with their counts, and `outside_count` is how many; `unread` are answers without a label or slots to read.
    """

    prompt: str
    side: str
    model: str
    accuracy: Part | None
    in_scope: Part | None
    out_of_scope: Part | None
    macro: Score | None
    micro: Score | None
    weighted: Score | None
    intents: Mapping[str, Score]
    confused: Sequence[Confused]
    outside: Mapping[str, int]
    outside_count: int
    unread: int
    slots: Score | None
    by_slot: Mapping[str, Score]
    exact: Part | None
    confidence: Confidence | None


@dataclass(frozen=True, slots=True)
class NluComparison:
    """Two models on the same cases: how many intents only the one and only the other has right, the mid-p of McNemar's
    test, and whether the difference stands beside the other comparisons of the run at 5 % (Holm 1979).
    """

    one: str
    other: str
    cases: int
    only_one: int
    only_other: int
    mid_p: float
    stands: bool


@dataclass(frozen=True, slots=True)
class Nlu:
    """What the checks `intent` and `slots` found in a run."""

    summaries: Sequence[NluSummary]
    comparisons: Sequence[NluComparison]


def figures(summary: NluSummary) -> Iterator[tuple[str, str, str]]:
    """The figures of one prompt on one model: each with its name, and with what it is of."""
    parts = {
        "intent accuracy": None if summary.in_scope and summary.out_of_scope else summary.accuracy,
        "in-scope accuracy": summary.in_scope if summary.out_of_scope else None,
        "out-of-scope recall": summary.out_of_scope,
    }
    for name, part in parts.items():
        if part:
            yield name, share_of(part), number_of(part.of, "case")
    if summary.macro:
        yield "intent macro F1", _score(summary.macro), number_of(len(summary.intents), "intent")
    if summary.slots:
        about = f"precision {percent(summary.slots.precision)}, recall {percent(summary.slots.recall)}"
        yield "slot F1", _score(summary.slots), about
    if summary.exact:
        yield "intent and slots exact", share_of(summary.exact), number_of(summary.exact.of, "case")
    if summary.confidence:
        best = _best(summary.confidence)
        yield "calibration error", percent(summary.confidence.error), best


def _best(confidence: Confidence) -> str:
    """The threshold with the best mean of both shares: of these very cases, so one to try and not to believe."""
    rows = [row for row in confidence.thresholds if row.in_scope is not None and row.out_of_scope is not None]
    if not rows:
        return ""
    best = max(rows, key=lambda row: (row.in_scope or 0.0) + (row.out_of_scope or 0.0))
    return f"threshold {best.threshold:.2f}: {percent(best.in_scope)} / {percent(best.out_of_scope)}" * bool(
        best.threshold
    )


def labels(summary: NluSummary) -> Iterator[str]:
    """Which intents are confused, and which are none."""
    for item in summary.confused[:_CONFUSED]:
        back = f", and {item.back} the other way" if item.back else ""
        said = f"{item.count} × {item.said} for {item.expected}{back}: "
        yield excerpt(said + item.text, _LONGEST)
    if summary.outside_count:
        shown = list(summary.outside)[:_OUTSIDE]
        more = len(summary.outside) - len(shown)
        named = ", ".join(f"'{label}'" for label in shown) + (f" and {more} more" if more > 0 else "")
        yield excerpt(f"{number_of(summary.outside_count, 'unknown label')}: {named}", _LONGEST)
    if summary.unread:
        yield f"{number_of(summary.unread, 'answer')} without a label or slots to read"


def compared(found: NluComparison) -> str:
    """What a test between two models says."""
    text = f"{found.one} compared with {found.other}: {found.only_one} intents right that the other has wrong, "
    text += f"{found.only_other} the other way (McNemar mid-p {found.mid_p:.3g})"
    return text if found.stands else f"{text}: no significant difference"


def share_of(part: Part) -> str:
    """A share with its bounds."""
    return f"{percent(part.share)} ({bounds(part.low, part.high)})"


def _score(score: Score) -> str:
    between = "" if score.low is None or score.high is None else f" ({bounds(score.low, score.high)})"
    return f"{percent(score.f1)}{between}"


def bounds(low: float, high: float) -> str:
    """Both ends of an interval, as `percent` writes a share."""
    return f"{_tenths(low)}–{_tenths(high)}"


def percent(share: float | None) -> str:
    """A share with a tenth of a percent, as the field's tables have it; 100 and 0 are said of all and none only."""
    return "–" if share is None else f"{_tenths(share)} %"


def _tenths(share: float) -> str:
    rounded = f"{share * 100:.1f}"
    if rounded == "100.0" and share < 1:
        return "99.9"
    return "0.1" if rounded == "0.0" and share > 0 else rounded
