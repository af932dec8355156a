"""Tallies of the answers of a run, one for each prompt on each model."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Generic, Protocol, TypeVar

from promptbench.checks._normal import Normal
from promptbench.checks._paths import text_at
from promptbench.checks.answerable import Answerable
from promptbench.checks.expect import Expect
from promptbench.checks.intent import Intent
from promptbench.checks.slots import Slots
from promptbench.checks.token_f1 import TokenF1
from promptbench.core.protocols import Check, Subject
from promptbench.core.types import Attempt, Score, Score as CheckScore, Side
from promptbench.engine.prepare.checks import unwrapped
from promptbench.engine.prepare.evaluate import subject_of
from promptbench.engine.prepare.prepared_suite import BASELINE, PreparedCase, PreparedSuite, slot_of
from promptbench.metrics import bootstrap, nlu
from promptbench.metrics.nlu import Confidences, LabelScore
from promptbench.metrics.squad import exact_match, token_f1
from promptbench.report.figures import (
    Confidence,
    Confused,
    Marks,
    Nlu,
    NluComparison,
    NluSummary,
    Part,
    Qa,
    QaSummary,
)
from promptbench.stats.exact import clopper_pearson_upper, holm_levels, mcnemar_mid_p


class _FirstAnswerTally(Protocol):
    def add(self, case: PreparedCase, subject: Subject, checks: Sequence[Check], scores: Sequence[Score]) -> None:
        """Count one answer. `checks` are those of the case, without weights and readings around them."""


_T = TypeVar("_T", bound=_FirstAnswerTally)


class FirstAnswerTallies(Generic[_T]):
    """Tallies of the first answer to each case.

    Further answers to a case depend on the first one: confidence intervals that count them would be too narrow.
    """

    def __init__(
        self,
        prepared: PreparedSuite,
        checks: Collection[str],
        make: Callable[[], _T],
        counts: Callable[[Check], bool] = lambda check: True,
    ) -> None:
        self._prepared = prepared
        self._checks = checks
        self._make = make
        self._counts = counts
        self._tallies: dict[tuple[str, str], _T] = {}

    def add(self, attempt: Attempt) -> None:
        """Count an attempt if it is the first answer to a case, and one of `checks` scored it."""
        key, answer = attempt.key, attempt.answer
        if key.repeat or answer is None or attempt.fallback is not None:
            return
        if not any(score.check in self._checks for score in attempt.scores):
            return
        case = self._prepared.cases[key.case]
        if case.turns:
            # The figures are about one answer to one input.
            return
        subject = subject_of(answer.text, self._prepared.accept, case.variables, self._prepared.ladder)
        checks = [unwrapped(check) for check in case.checks[key.variant or BASELINE]]
        named = (check for check, score in zip(checks, attempt.scores, strict=False) if score.check in self._checks)
        if not any(map(self._counts, named)):
            return
        if (key.variant, key.model) not in self._tallies:
            self._tallies[key.variant, key.model] = self._make()
        self._tallies[key.variant, key.model].add(case, subject, checks, attempt.scores)

    def by_prompt(self) -> Iterator[tuple[str, str, str, _T]]:
        """Yield the prompt's label, its side, the model and the tally, in the order of the report."""
        for model in self._prepared.models:
            for variant in self._prepared.prompts_of(model):
                if (tally := self._tallies.get((slot_of(variant), model.name))) is not None:
                    label, side = (variant.label, variant.side) if variant else ("", Side.BASELINE)
                    yield label.removesuffix(".prompt"), side.value, model.name, tally


def proportion(right: int, of: int) -> Part | None:
    """Return a proportion with its exact 95 % interval (Clopper and Pearson, 1934), or None if `of` is 0."""
    if not of:
        return None
    low = 1.0 - clopper_pearson_upper(of - right, of, 0.975)
    return Part(right, of, low, clopper_pearson_upper(right, of, 0.975))


_CHECKS = frozenset({"expect", "exact match", "token f1", "answerable", "grounded", "citations"})
FIGURED = _CHECKS | {"intent", "slots"}  # The checks whose answers have figures.

# Questions by exact match and F1, so that memory does not grow with their number.
_MarkCounts = Counter[tuple[float, float]]


@dataclass(slots=True)
class _QaTally:
    """Counts for one prompt on one model; `grounded` and `citations` are passed answers and all answers."""

    with_answer: _MarkCounts = field(default_factory=Counter)
    without_answer: _MarkCounts = field(default_factory=Counter)
    grounded: list[int] = field(default_factory=lambda: [0, 0])
    citations: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, case: PreparedCase, subject: Subject, checks: Sequence[Check], scores: Sequence[Score]) -> None:
        for score in scores:
            counted = {"grounded": self.grounded, "citations": self.citations}.get(score.check)
            if counted is not None:
                counted[0] += score.passed
                counted[1] += 1
        comparison = next((check for check in checks if isinstance(check, (Expect, TokenF1)) and _is_qa(check)), None)
        answerable = [check for check in checks if isinstance(check, Answerable)]
        if comparison is not None:
            self._add_comparison(comparison, subject)
        elif any(not check.answerable for check in answerable):
            mark = float(all(check.score(subject).passed for check in answerable))
            self.without_answer[mark, mark] += 1

    def _add_comparison(self, check: Expect | TokenF1, subject: Subject) -> None:
        text, problem = text_at(subject, check.path)
        text = Normal(tuple(step for step in check.normal.steps if step != "squad")).text(text)
        right = [str(item) for item in check.right]
        marks = (0.0, 0.0) if problem else (exact_match(text, right), round(token_f1(text, right), 6))
        (self.with_answer if any(right) else self.without_answer)[marks] += 1


def _is_qa(check: Check) -> bool:
    """Return whether a check is about questions and answers. `expect` is if it compares as SQuAD does."""
    return not isinstance(check, Expect) or "squad" in check.normal.steps


class QaTallies(FirstAnswerTallies[_QaTally]):
    """Tallies of the answers that a check of questions and answers scored."""

    def __init__(self, prepared: PreparedSuite) -> None:
        super().__init__(prepared, _CHECKS, _QaTally, _is_qa)

    def figures(self) -> Qa | None:
        """Return the figures, or None if no case is a question."""
        summaries = [_summary(*item) for item in self.by_prompt()]
        return Qa(summaries) if summaries else None


def _summary(prompt: str, side: str, model: str, tally: _QaTally) -> QaSummary:
    unanswered = sum(count for (exact, _), count in tally.without_answer.items() if exact)
    return QaSummary(
        prompt=prompt,
        side=side,
        model=model,
        overall=_marks(tally.with_answer + tally.without_answer),
        answerable=_marks(tally.with_answer),
        unanswerable=proportion(unanswered, tally.without_answer.total()),
        grounded=proportion(*tally.grounded),
        citations=proportion(*tally.citations),
    )


def _marks(counts: _MarkCounts) -> Marks | None:
    if not counts:
        return None
    exact = sum(count * exact for (exact, _), count in counts.items()) / counts.total()
    low, high = bootstrap.interval(counts, _mean_f1) or (None, None)
    return Marks(counts.total(), exact, _mean_f1(counts), low, high)


def _mean_f1(counts: Mapping[tuple[float, float], int]) -> float:
    return sum(count * f1 for (_, f1), count in counts.items()) / sum(counts.values())


# Memory grows with the labels, not with the cases, except for one byte for each case and model.
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
        result = nlu.compare(check.wanted, got)
        counts = result.counts
        if counts in self.slots or len(self.slots) < _MAX_LABELS:
            self.slots[counts] += 1
        for index, spans in enumerate((result.right, result.missing, result.extra)):
            for name, count in nlu.counted(spans).items():
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
        summaries = [_nlu_summary(*item) for item in self.by_prompt()]
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


def _nlu_summary(prompt: str, side: str, model: str, tally: _NluTally) -> NluSummary:
    pairs = tally.pairs
    labels = nlu.by_label(pairs)
    averages = nlu.averages(pairs)
    outside = tally.out_of_scope
    return NluSummary(
        prompt=prompt,
        side=side,
        model=model,
        accuracy=proportion(*nlu.accuracy(pairs)),
        in_scope=proportion(*nlu.accuracy(pairs, labels.keys() - outside)),
        out_of_scope=proportion(*nlu.accuracy(pairs, outside)),
        macro=_within(averages.macro, bootstrap.interval(pairs, nlu.macro_f1)) if labels else None,
        micro=averages.micro if labels else None,
        weighted=averages.weighted if labels else None,
        intents=labels,
        confused=[
            Confused(expected, got, count, pairs[got, expected], *tally.examples.get((expected, got), ("", "")))
            for expected, got, count in nlu.confusions(pairs, _MAX_CONFUSED)
        ],
        outside=dict(tally.outside.most_common(_MAX_CONFUSED)),
        outside_count=tally.outside_count,
        unread=tally.unread,
        slots=_slot_score(tally.slots),
        by_slot={
            name: LabelScore.of(right, right + extra, right + missing)
            for name, (right, missing, extra) in sorted(tally.by_slot.items())
        },
        exact=proportion(*tally.exact),
        confidence=_confidence(tally.confidences),
    )


def _slot_score(counts: Mapping[tuple[int, int, int], int]) -> LabelScore | None:
    right, predicted, expected = _sum_spans(counts)
    if not (predicted or expected):
        return None
    interval = bootstrap.interval(counts, lambda sample: nlu.f1(*_sum_spans(sample)))
    return _within(LabelScore.of(right, predicted, expected), interval)


def _sum_spans(counts: Mapping[tuple[int, int, int], int]) -> tuple[int, int, int]:
    # The right, predicted and expected spans over all utterances.
    right, predicted, expected = (sum(count * spans[i] for spans, count in counts.items()) for i in range(3))
    return right, predicted, expected


def _within(score: LabelScore, interval: tuple[float, float] | None) -> LabelScore:
    low, high = interval or (None, None)
    return replace(score, low=low, high=high)


def _confidence(confidences: Confidences) -> Confidence | None:
    error = confidences.calibration_error()
    if error is None:
        return None
    return Confidence(confidences.total, error, confidences.bins(), confidences.thresholds())
