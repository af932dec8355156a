"""Intents and slots of a run: counts while its attempts go by, figures when they are wanted.

Of each case the first answer counts, so that cases are independent of each other and their intervals hold. What is kept
grows with the labels, not with the cases, but for a byte a case and model that says whether its intent was right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

from promptbench.checks.intent import Intent
from promptbench.checks.slots import Slots
from promptbench.core.protocols import Check, Subject
from promptbench.core.types import Attempt
from promptbench.metrics import bootstrap, nlu_labels, nlu_slots
from promptbench.metrics.nlu_confidence import Confidences
from promptbench.metrics.nlu_labels import Figures
from promptbench.project.bench import BASELINE, Bench, BenchCase
from promptbench.project.checks import unwrapped
from promptbench.project.evaluate import as_subject
from promptbench.report.nlu import (
    Confidence,
    ConfidenceBin,
    Confused,
    LabelScore,
    Nlu,
    NluComparison,
    NluSummary,
    Part,
    ThresholdRow,
)
from promptbench.stats.beta import clopper_pearson_upper
from promptbench.stats.exact import mcnemar_mid_p
from promptbench.stats.holm import holm_levels

_CHECKS = frozenset({"intent", "slots"})
_MOST_LABELS = 2_000
"""Different labels that are held of one model; one that makes up a label for every answer fills no memory."""
_MOST_EXAMPLES = 1_000
_LONGEST = 200
_MOST_CONFUSED = 50
_MOST_COMPARED = 5
_WRONG, _RIGHT = 1, 2
_Kept = TypeVar("_Kept")


@dataclass(slots=True)
class _Tally:
    """What adds up for one prompt on one model."""

    states: bytearray
    """For each case of the suite: unknown, wrong or right."""
    pairs: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    outside: Counter[str] = field(default_factory=Counter)
    outside_count: int = 0
    unread: int = 0
    slots: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    """Utterances by how many spans are right, said and expected."""
    by_slot: dict[str, list[int]] = field(default_factory=dict)
    exact: list[int] = field(default_factory=lambda: [0, 0])
    confidences: Confidences = field(default_factory=Confidences)
    out_of_scope: set[str] = field(default_factory=set)

    def add(self, case: BenchCase, number: int, subject: Subject, intent: Intent | None, slots: Slots | None) -> None:
        self.unread += bool((intent and intent.label(subject)[1]) or (slots and slots.spans(subject)[1]))
        results = [
            self._intent(case, number, subject, intent) if intent else None,
            self._slots(subject, slots) if slots else None,
        ]
        known = [result for result in results if result is not None]
        if intent and slots and len(known) == 2:
            self.exact[0] += all(known)
            self.exact[1] += 1

    def _intent(self, case: BenchCase, number: int, subject: Subject, check: Intent) -> bool | None:
        label, problem = check.label(subject)
        said = None if problem else label
        if said is not None and check.labels and said not in check.labels:
            self.outside_count += 1
            if said in self.outside or len(self.outside) < _MOST_LABELS:
                self.outside[said[:_LONGEST]] += 1
        if check.wanted is None:
            return None
        right = said == check.wanted
        self.states[number] = _RIGHT if right else _WRONG
        if check.out_of_scope is not None:
            self.out_of_scope.add(check.out_of_scope)
        pair = (check.wanted, said[:_LONGEST] if said is not None and not right else said)
        if pair in self.pairs or right or len(self.pairs) < _MOST_LABELS:
            self.pairs[pair] += 1
        else:
            self.pairs[check.wanted, None] += 1
        if said is not None and not right and len(self.examples) < _MOST_EXAMPLES:
            self.examples.setdefault((check.wanted, said[:_LONGEST]), (case.name, _text(case)[:_LONGEST]))
        sureness = check.sureness(subject)
        if sureness is not None:
            self.confidences.add(sureness, right=right, in_scope=check.wanted not in self.out_of_scope)
        return right

    def _slots(self, subject: Subject, check: Slots) -> bool | None:
        if check.wanted is None:
            return None
        got, problem = check.spans(subject)
        found = nlu_slots.compare(check.wanted, got)
        counts = found.counts
        if counts in self.slots or len(self.slots) < _MOST_LABELS:
            self.slots[counts] += 1
        for place, spans in enumerate((found.right, found.missing, found.extra)):
            for name, count in nlu_slots.counted(spans).items():
                if name in self.by_slot or len(self.by_slot) < _MOST_LABELS:
                    self.by_slot.setdefault(name, [0, 0, 0])[place] += count
        return not (problem or found.missing or found.extra)


class NluTallies:
    """Looks at each attempt of a run once."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def add(self, attempt: Attempt) -> None:
        """Counts the first answer to a case that `intent` or `slots` look at."""
        key, found = attempt.key, first_answer(self._bench, attempt, _CHECKS)
        if found is None:
            return
        case, subject = found
        intent, slots = _checks(case, key.variant)
        if intent is None and slots is None:
            return
        tally = self._tallies.get((key.variant, key.model))
        if tally is None:
            tally = self._tallies[key.variant, key.model] = _Tally(bytearray(len(self._bench.cases)))
        tally.add(case, self._bench.cases.numbers[case.name], subject, intent, slots)

    def found(self) -> Nlu | None:
        """The figures; None where no case is about intents or slots."""
        if not self._tallies:
            return None
        return Nlu([_summary(*item) for item in in_order(self._bench, self._tallies)], list(self._compared()))

    def _compared(self) -> Iterator[NluComparison]:
        """Each two of the first few on the cases that both answered."""
        named = [
            (f"{prompt} on {model}" if prompt else model, tally)
            for prompt, _, model, tally in in_order(self._bench, self._tallies)
            if tally.pairs
        ]
        found = [
            (one, other, *_discordant(mine.states, theirs.states))
            for (one, mine), (other, theirs) in combinations(named[:_MOST_COMPARED], 2)
        ]
        p_values = [mcnemar_mid_p(better, worse) for *_, better, worse in found]
        for (one, other, both, better, worse), p, level in zip(found, p_values, holm_levels(p_values), strict=True):
            yield NluComparison(one, other, both, better, worse, p, stands=p <= level)


def first_answer(bench: Bench, attempt: Attempt, checks: Collection[str]) -> tuple[BenchCase, Subject] | None:
    """A case and the first answer to it, where one of these checks looked at it; None for any other attempt."""
    key, answer = attempt.key, attempt.answer
    if key.repeat or answer is None or attempt.fallback is not None:
        return None
    if not any(score.check in checks for score in attempt.scores):
        return None
    case = bench.cases[key.case]
    return case, as_subject(answer.text, bench.accept, case.variables)


def in_order(bench: Bench, tallies: Mapping[tuple[str, str], _Kept]) -> Iterator[tuple[str, str, str, _Kept]]:
    """The prompt's label, its side, the model and what was kept of them, as the report's figures are ordered."""
    for model in bench.models:
        if not model.uses_prompt:
            if (kept := tallies.get((BASELINE, model.name))) is not None:
                yield "", "baseline", model.name, kept
            continue
        for variant in bench.variants:
            if (kept := tallies.get((variant.hash, model.name))) is not None:
                yield variant.label.removesuffix(".prompt"), variant.side.value, model.name, kept


def _text(case: BenchCase) -> str:
    """The longest text among the values of a case, or its last message: most likely the utterance."""
    texts = [value for value in case.variables.values() if isinstance(value, str)]
    return max(texts or [message.content for message in case.history[-1:]], key=len, default="")


def _checks(case: BenchCase, variant: str) -> tuple[Intent | None, Slots | None]:
    """The first check of each kind; the others of a case say nothing about the whole."""
    checks: list[Check] = [unwrapped(check) for check in case.checks[variant or BASELINE]]
    intent = next((check for check in checks if isinstance(check, Intent)), None)
    return intent, next((check for check in checks if isinstance(check, Slots)), None)


def _discordant(one: bytearray, other: bytearray) -> tuple[int, int, int]:
    """How many cases both answered, how many only the one has right, how many only the other."""
    both = Counter(zip(one, other, strict=True))
    total = sum(count for (mine, theirs), count in both.items() if mine and theirs)
    return total, both[_RIGHT, _WRONG], both[_WRONG, _RIGHT]


def _summary(prompt: str, side: str, model: str, tally: _Tally) -> NluSummary:
    pairs = tally.pairs
    labels = nlu_labels.by_label(pairs)
    averages = nlu_labels.averages(pairs)
    between = bootstrap.interval(pairs, nlu_labels.macro_f1)
    outside = tally.out_of_scope
    return NluSummary(
        prompt=prompt,
        side=side,
        model=model,
        accuracy=part(*nlu_labels.accuracy(pairs)),
        in_scope=part(*nlu_labels.accuracy(pairs, labels.keys() - outside)),
        out_of_scope=part(*nlu_labels.accuracy(pairs, outside)),
        macro=_score(averages.macro, between) if labels else None,
        micro=_score(averages.micro) if labels else None,
        weighted=_score(averages.weighted) if labels else None,
        intents={label: _score(figures) for label, figures in labels.items()},
        confused=list(_confused(tally)),
        outside=dict(tally.outside.most_common(_MOST_CONFUSED)),
        outside_count=tally.outside_count,
        unread=tally.unread,
        slots=_slot_score(tally.slots),
        by_slot={
            name: _score(Figures.of(right, right + extra, right + missing))
            for name, (right, missing, extra) in sorted(tally.by_slot.items())
        },
        exact=part(*tally.exact),
        confidence=_confidence(tally.confidences),
    )


def _confused(tally: _Tally) -> Iterator[Confused]:
    for expected, said, count in nlu_labels.confusions(tally.pairs, _MOST_CONFUSED):
        case, text = tally.examples.get((expected, said), ("", ""))
        yield Confused(expected, said, count, tally.pairs[said, expected], case, text)


def _slot_score(counts: Mapping[tuple[int, int, int], int]) -> LabelScore | None:
    right, said, expected = _sums(counts)
    if not (said or expected):
        return None
    return _score(Figures.of(right, said, expected), bootstrap.interval(counts, _slot_f1))


def _slot_f1(counts: Mapping[tuple[int, int, int], int]) -> float:
    return nlu_slots.f1(*_sums(counts))


def _sums(counts: Mapping[tuple[int, int, int], int]) -> tuple[int, int, int]:
    """Spans that are right, said and expected, over all utterances."""
    right = sum(count * spans[0] for spans, count in counts.items())
    said = sum(count * spans[1] for spans, count in counts.items())
    return right, said, sum(count * spans[2] for spans, count in counts.items())


def part(right: int, of: int) -> Part | None:
    """A share with its bounds; None of nothing."""
    if not of:
        return None
    low = 1.0 - clopper_pearson_upper(of - right, of, 0.975)
    return Part(right, of, low, clopper_pearson_upper(right, of, 0.975))


def _score(figures: Figures, between: tuple[float, float] | None = None) -> LabelScore:
    low, high = between or (None, None)
    return LabelScore(figures.precision, figures.recall, figures.f1, figures.support, low, high)


def _confidence(found: Confidences) -> Confidence | None:
    error = found.calibration_error()
    if error is None:
        return None
    return Confidence(
        found.total,
        error,
        [ConfidenceBin(one.low, one.high, one.count, one.confidence, one.accuracy) for one in found.bins()],
        [
            ThresholdRow(
                row.threshold,
                row.in_scope_right / row.in_scope if row.in_scope else None,
                row.out_of_scope_right / row.out_of_scope if row.out_of_scope else None,
            )
            for row in found.thresholds()
        ],
    )
