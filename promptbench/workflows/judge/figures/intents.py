"""Figures of intents and slots of a run: accuracy, F1, confused labels, calibration, and comparisons of models.

Memory grows with the labels, not with the cases, except for one byte for each case and model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from promptbench.checks.intent import Intent
from promptbench.checks.slots import Slots
from promptbench.core.protocols import Check, Subject
from promptbench.core.types import Score as CheckScore
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite
from promptbench.metrics import bootstrap, nlu_labels, nlu_slots
from promptbench.metrics.nlu_confidence import Confidences
from promptbench.metrics.nlu_labels import LabelFigures
from promptbench.report.nlu import (
    Confidence,
    ConfidenceBin,
    Confused,
    LabelScore,
    Nlu,
    NluComparison,
    NluSummary,
    ThresholdRow,
)
from promptbench.stats.exact import mcnemar_mid_p
from promptbench.stats.holm import holm_levels
from promptbench.workflows.judge.figures.tallies import FirstAnswerTallies, proportion

# Different labels of one model. One that invents a label for every answer must not fill the memory.
_MAX_LABELS = 2_000
_MAX_EXAMPLES = 1_000
_MAX_TEXT = 200
_MAX_CONFUSED = 50
_MAX_COMPARED = 5
# States of a case; 0 is a case without an answer.
_WRONG, _RIGHT = 1, 2


@dataclass(slots=True)
class _NluTally:
    """Counts for one prompt on one model.

    `states` has a state for each case, by its number. `pairs` are expected and predicted labels, None for an answer
    without a valid one. `slots` are utterances by their numbers of right, predicted and expected spans. `by_slot` has
    the numbers of right, missing and extra spans.
    """

    numbers: Mapping[str, int]
    states: bytearray
    pairs: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    outside: Counter[str] = field(default_factory=Counter)
    outside_count: int = 0
    unread: int = 0
    slots: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    by_slot: dict[str, list[int]] = field(default_factory=dict)
    exact: list[int] = field(default_factory=lambda: [0, 0])
    confidences: Confidences = field(default_factory=Confidences)
    out_of_scope: set[str] = field(default_factory=set)

    def add(self, case: PreparedCase, subject: Subject, checks: Sequence[Check], scores: Sequence[CheckScore]) -> None:
        # Further checks of a kind look at a part of the answer only.
        intent = next((check for check in checks if isinstance(check, Intent)), None)
        slots = next((check for check in checks if isinstance(check, Slots)), None)
        self.unread += bool((intent and intent.label(subject)[1]) or (slots and slots.spans(subject)[1]))
        results = [
            self._add_intent(case, subject, intent) if intent else None,
            self._add_slots(subject, slots) if slots else None,
        ]
        if None not in results:
            self.exact[0] += all(results)
            self.exact[1] += 1

    def _add_intent(self, case: PreparedCase, subject: Subject, check: Intent) -> bool | None:
        label, problem = check.label(subject)
        got = None if problem else label
        if got is not None and check.labels and got not in check.labels:
            self.outside_count += 1
            if got in self.outside or len(self.outside) < _MAX_LABELS:
                self.outside[got[:_MAX_TEXT]] += 1
        expected = check.wanted
        if expected is None:
            return None
        right = got == expected
        self.states[self.numbers[case.name]] = _RIGHT if right else _WRONG
        if check.out_of_scope is not None:
            self.out_of_scope.add(check.out_of_scope)
        pair = (expected, got[:_MAX_TEXT] if got is not None and not right else got)
        is_counted = pair in self.pairs or right or len(self.pairs) < _MAX_LABELS
        self.pairs[pair if is_counted else (expected, None)] += 1
        if got is not None and not right and len(self.examples) < _MAX_EXAMPLES:
            texts = [value for value in case.variables.values() if isinstance(value, str)]
            # The longest text is most likely the utterance.
            utterance = max(texts or [message.content for message in case.history[-1:]], key=len, default="")
            self.examples.setdefault((expected, got[:_MAX_TEXT]), (case.name, utterance[:_MAX_TEXT]))
        confidence = check.confidence_of(subject)
        if confidence is not None:
            self.confidences.add(confidence, right=right, in_scope=expected not in self.out_of_scope)
        return right

    def _add_slots(self, subject: Subject, check: Slots) -> bool | None:
        if check.wanted is None:
            return None
        got, problem = check.spans(subject)
        result = nlu_slots.compare(check.wanted, got)
        counts = result.counts
        if counts in self.slots or len(self.slots) < _MAX_LABELS:
            self.slots[counts] += 1
        for index, spans in enumerate((result.right, result.missing, result.extra)):
            for name, count in nlu_slots.counted(spans).items():
                if name in self.by_slot or len(self.by_slot) < _MAX_LABELS:
                    self.by_slot.setdefault(name, [0, 0, 0])[index] += count
        return not (problem or result.missing or result.extra)


class NluTallies(FirstAnswerTallies[_NluTally]):
    """Tallies of the answers that the checks `intent` and `slots` scored."""

    def __init__(self, prepared: PreparedSuite) -> None:
        numbers = prepared.cases.numbers
        super().__init__(prepared, {"intent", "slots"}, lambda: _NluTally(numbers, bytearray(len(numbers))))

    def figures(self) -> Nlu | None:
        """Return the figures, or None if no case is about intents or slots."""
        summaries = [_summary(*item) for item in self.by_prompt()]
        return Nlu(summaries, list(self._comparisons())) if summaries else None

    def _comparisons(self) -> Iterator[NluComparison]:
        # Each two of the first few are compared on the cases that both answered.
        named = [
            (f"{prompt} on {model}" if prompt else model, tally.states)
            for prompt, _, model, tally in self.by_prompt()
            if tally.pairs
        ]
        found = []
        for (one, first), (other, second) in combinations(named[:_MAX_COMPARED], 2):
            both = Counter(zip(first, second, strict=True))
            total = sum(count for states, count in both.items() if all(states))
            found.append((one, other, total, both[_RIGHT, _WRONG], both[_WRONG, _RIGHT]))
        p_values = [mcnemar_mid_p(better, worse) for *_, better, worse in found]
        for comparison, p, level in zip(found, p_values, holm_levels(p_values), strict=True):
            yield NluComparison(*comparison, p, stands=p <= level)


def _summary(prompt: str, side: str, model: str, tally: _NluTally) -> NluSummary:
    pairs = tally.pairs
    labels = nlu_labels.by_label(pairs)
    averages = nlu_labels.averages(pairs)
    macro_interval = bootstrap.interval(pairs, nlu_labels.macro_f1)
    outside = tally.out_of_scope
    return NluSummary(
        prompt=prompt,
        side=side,
        model=model,
        accuracy=proportion(*nlu_labels.accuracy(pairs)),
        in_scope=proportion(*nlu_labels.accuracy(pairs, labels.keys() - outside)),
        out_of_scope=proportion(*nlu_labels.accuracy(pairs, outside)),
        macro=_score(averages.macro, macro_interval) if labels else None,
        micro=_score(averages.micro) if labels else None,
        weighted=_score(averages.weighted) if labels else None,
        intents={label: _score(figures) for label, figures in labels.items()},
        confused=[
            Confused(expected, got, count, pairs[got, expected], *tally.examples.get((expected, got), ("", "")))
            for expected, got, count in nlu_labels.confusions(pairs, _MAX_CONFUSED)
        ],
        outside=dict(tally.outside.most_common(_MAX_CONFUSED)),
        outside_count=tally.outside_count,
        unread=tally.unread,
        slots=_slot_score(tally.slots),
        by_slot={
            name: _score(LabelFigures.of(right, right + extra, right + missing))
            for name, (right, missing, extra) in sorted(tally.by_slot.items())
        },
        exact=proportion(*tally.exact),
        confidence=_confidence(tally.confidences),
    )


def _slot_score(counts: Mapping[tuple[int, int, int], int]) -> LabelScore | None:
    right, predicted, expected = _sum_spans(counts)
    if not (predicted or expected):
        return None
    interval = bootstrap.interval(counts, lambda sample: nlu_slots.f1(*_sum_spans(sample)))
    return _score(LabelFigures.of(right, predicted, expected), interval)


def _sum_spans(counts: Mapping[tuple[int, int, int], int]) -> tuple[int, int, int]:
    # The right, predicted and expected spans over all utterances.
    right, predicted, expected = (sum(count * spans[i] for spans, count in counts.items()) for i in range(3))
    return right, predicted, expected


def _score(figures: LabelFigures, interval: tuple[float, float] | None = None) -> LabelScore:
    low, high = interval or (None, None)
    return LabelScore(figures.precision, figures.recall, figures.f1, figures.support, low, high)


def _confidence(confidences: Confidences) -> Confidence | None:
    error = confidences.calibration_error()
    if error is None:
        return None
    return Confidence(
        confidences.total,
        error,
        [ConfidenceBin(one.low, one.high, one.count, one.confidence, one.accuracy) for one in confidences.bins()],
        [
            ThresholdRow(
                row.threshold,
                row.in_scope_right / row.in_scope if row.in_scope else None,
                row.out_of_scope_right / row.out_of_scope if row.out_of_scope else None,
            )
            for row in confidences.thresholds()
        ],
    )
