"""Figures on intents, slots, questions and answers as plain data, and their words in a report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptbench.core.words import number_of
from promptbench.metrics.nlu import ConfidenceBin, LabelScore, ThresholdRow
from promptbench.report.words import excerpt

_CONFUSED = 3
_OUTSIDE = 5
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Part:
    """The number of right answers of `of`, with the exact 95 % bounds of the share (Clopper and Pearson 1934)."""

    right: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.right / self.of


@dataclass(frozen=True, slots=True)
class Confused:
    """A confusion of two labels: its count, the count of the reverse, and an example."""

    expected: str
    said: str
    count: int
    back: int
    case: str
    text: str


@dataclass(frozen=True, slots=True)
class Confidence:
    """The calibration of `count` answers' confidence. `error` is the expected calibration error, in [0, 1]."""

    count: int
    error: float
    bins: Sequence[ConfidenceBin]
    thresholds: Sequence[ThresholdRow]


@dataclass(frozen=True, slots=True)
class NluSummary:
    """One prompt on one model, by its first answer to each case. None if no case expects such a thing.

    `accuracy` is of all labels, `in_scope` of those that are not the out-of-scope label, `out_of_scope` of that one:
    its recall. `exact` are answers with the intent and all slots right. `outside` are unknown labels with
    their counts, and `outside_count` their sum; `unread` are answers without a readable label or slots.
    """

    prompt: str
    side: str
    model: str
    accuracy: Part | None
    in_scope: Part | None
    out_of_scope: Part | None
    macro: LabelScore | None
    micro: LabelScore | None
    weighted: LabelScore | None
    intents: Mapping[str, LabelScore]
    confused: Sequence[Confused]
    outside: Mapping[str, int]
    outside_count: int
    unread: int
    slots: LabelScore | None
    by_slot: Mapping[str, LabelScore]
    exact: Part | None
    confidence: Confidence | None


@dataclass(frozen=True, slots=True)
class NluComparison:
    """Two models on the same cases: the intents that only one of them has right, and the mid-p of McNemar's test.

    `stands` if the difference is significant at 5 % among all comparisons of the run (Holm 1979).
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
    """The figures of the checks `intent` and `slots` in a run."""

    summaries: Sequence[NluSummary]
    comparisons: Sequence[NluComparison]


def figures(summary: NluSummary) -> Iterator[tuple[str, str, str]]:
    """Yield the figures of one prompt on one model: name, value, and the cases that it is of."""
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
        # The threshold with the best mean of both shares is fitted to these cases, so it is only a suggestion.
        rows = [row for row in summary.confidence.thresholds if None not in (row.in_scope, row.out_of_scope)]
        best = max(rows, key=lambda row: (row.in_scope or 0.0) + (row.out_of_scope or 0.0), default=None)
        about = (
            f"threshold {best.threshold:.2f}: {percent(best.in_scope)} / {percent(best.out_of_scope)}"
            if best and best.threshold
            else ""
        )
        yield "calibration error", percent(summary.confidence.error), about


def labels(summary: NluSummary) -> Iterator[str]:
    """Yield the most frequent confusions and the unknown labels."""
    for item in summary.confused[:_CONFUSED]:
        back = f", and {item.back} the other way" if item.back else ""
        yield excerpt(f"{item.count} × {item.said} for {item.expected}{back}: " + item.text, _LONGEST)
    if summary.outside_count:
        shown = list(summary.outside)[:_OUTSIDE]
        more = len(summary.outside) - len(shown)
        named = ", ".join(f"'{label}'" for label in shown) + (f" and {more} more" if more > 0 else "")
        yield excerpt(f"{number_of(summary.outside_count, 'unknown label')}: {named}", _LONGEST)
    if summary.unread:
        yield f"{number_of(summary.unread, 'answer')} without a label or slots to read"


def compared(found: NluComparison) -> str:
    """Return the result of the test between two models as a sentence."""
    text = f"{found.one} compared with {found.other}: {found.only_one} intents right that the other has wrong, "
    text += f"{found.only_other} the other way (McNemar mid-p {found.mid_p:.3g})"
    return text if found.stands else f"{text}: no significant difference"


def share_of(part: Part) -> str:
    """Return a share with its bounds."""
    return f"{percent(part.share)} ({bounds(part.low, part.high)})"


def _score(score: LabelScore) -> str:
    between = "" if score.low is None or score.high is None else f" ({bounds(score.low, score.high)})"
    return f"{percent(score.f1)}{between}"


def bounds(low: float, high: float) -> str:
    """Return both ends of an interval, in percent."""
    return f"{_tenths(low)}–{_tenths(high)}"


def percent(share: float | None) -> str:
    """Return a share in percent with one decimal. 100.0 and 0.0 are only used for all and none."""
    return "–" if share is None else f"{_tenths(share)} %"


def _tenths(share: float) -> str:
    rounded = f"{share * 100:.1f}"
    if rounded == "100.0" and share < 1:
        return "99.9"
    return "0.1" if rounded == "0.0" and share > 0 else rounded


@dataclass(frozen=True, slots=True)
class Marks:
    """Means over `questions`, in [0, 1], as SQuAD 2.0 defines them.

    `low` and `high` are the bounds of the 95 % bootstrap interval of the F1.
    """

    questions: int
    exact_match: float
    token_f1: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class QaSummary:
    """One prompt on one model, by its first answer to each question. None if no case is of that kind.

    `overall` is over all questions with a known answer, `answerable` over those that have one; `unanswerable` counts
    the questions without an answer for which none was given. `grounded` and `citations` are the
    answers that pass these checks.
    """

    prompt: str
    side: str
    model: str
    overall: Marks | None
    answerable: Marks | None
    unanswerable: Part | None
    grounded: Part | None
    citations: Part | None


@dataclass(frozen=True, slots=True)
class Qa:
    """The qa_figures of the checks of answers from documents in a run."""

    summaries: Sequence[QaSummary]


def qa_figures(summary: QaSummary) -> Iterator[tuple[str, str, str]]:
    """Yield the qa_figures of one prompt on one model: name, value, and the questions that it is of."""
    if summary.overall:
        yield "exact match", percent(summary.overall.exact_match), number_of(summary.overall.questions, "question")
        yield "token F1", _f1(summary.overall), ""
    if summary.answerable and summary.unanswerable:
        about = f"{number_of(summary.answerable.questions, 'question')} with an answer"
        yield "token F1, answerable", _f1(summary.answerable), about
    parts = {
        "unanswerable left so": (summary.unanswerable, "question"),
        "grounded": (summary.grounded, "answer"),
        "citations right": (summary.citations, "answer"),
    }
    for name, (part, of) in parts.items():
        if part:
            yield name, share_of(part), number_of(part.of, of)


def _f1(marks: Marks) -> str:
    if marks.low is None or marks.high is None:
        return percent(marks.token_f1)
    return f"{percent(marks.token_f1)} ({bounds(marks.low, marks.high)})"
