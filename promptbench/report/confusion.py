"""Which label an answer gave where another one was expected, for cases that expect one of a few labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from promptbench.core.types import Json
from promptbench.formats.json_text import read
from promptbench.report.model import CaseRow, RunReport

_MOST_LABELS = 40
_LONGEST_LABEL = 60
_CASES_PER_LABEL = 2
_MOST_MATRICES = 4
WHOLE = "the answer"
OTHER = "(another)"
UNREADABLE = "(not readable)"


@dataclass(frozen=True, slots=True)
class Matrix:
    """How often each label was given where one was expected: of one prompt on one model, at one place of the answer.

    `counts` has a row for each of `expected`, with a column for each of `given`.
    """

    place: str
    prompt: str
    model: str
    expected: list[str]
    given: list[str]
    counts: list[list[int]]


@dataclass(slots=True)
class Confusions:
    """Collects from case to case. A place with too many labels is given up, so that memory stays small."""

    prompts: dict[str, str]
    """The labels of those that are looked at, by hash: the best candidate, and own models."""
    intents: frozenset[str] = frozenset()
    """Where a suite says what its intents are, only a place that holds nothing else is looked at."""
    _cases: Counter[str] = field(default_factory=Counter)
    _labels: dict[str, set[str]] = field(default_factory=dict)
    _pairs: dict[tuple[str, str, str], Counter[tuple[str, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, report: RunReport) -> Confusions:
        best = {item.candidate_hash for item in report.judgements[:1]}
        prompts = report.explored.prompts if report.explored else ()
        intents = frozenset(label for item in (report.nlu.summaries if report.nlu else ()) for label in item.intents)
        return cls({"": "", **{prompt.hash: prompt.label for prompt in prompts if prompt.hash in best}}, intents)

    def add(self, case: CaseRow) -> None:
        wanted = {place: label for item in case.expected for place, label in _labels(item) if self._fits(place, label)}
        for place in wanted:
            self._cases[place] += 1
        if not wanted:
            return
        for attempt in case.attempts:
            if not attempt.counted or attempt.prompt not in self.prompts or attempt.answer is None or attempt.fallback:
                continue
            given = self._given(attempt.answer, list(wanted))
            for place, label in wanted.items():
                key = (place, self.prompts[attempt.prompt], attempt.model)
                self._pairs.setdefault(key, Counter())[label, given[place]] += 1

    def _fits(self, place: str, label: str) -> bool:
        """Takes a label in, unless its place has too many."""
        known = self._labels.setdefault(place, set())
        if len(known) <= _MOST_LABELS:
            known.add(label)
        return len(known) <= _MOST_LABELS

    @staticmethod
    def _given(answer: str, places: list[str]) -> dict[str, str]:
        if places == [WHOLE]:
            return {WHOLE: answer[: _LONGEST_LABEL * 4].strip()}
        found = dict(_labels(read(answer).value))
        return {place: found.get(place, UNREADABLE) for place in places}

    def matrices(self) -> list[Matrix]:
        """One for each place that holds labels, prompt and model; the first few of them."""
        found = []
        for (place, prompt, model), pairs in self._pairs.items():
            expected = sorted(self._labels[place])
            if not 2 <= len(expected) <= _MOST_LABELS or self._cases[place] < _CASES_PER_LABEL * len(expected):
                continue
            if self.intents and not self.intents.issuperset(expected):
                continue
            seen: Counter[tuple[str, str]] = Counter()
            for (label, given), count in pairs.items():
                seen[label, given if given in (*expected, UNREADABLE) else OTHER] += count
            more = [name for name in (OTHER, UNREADABLE) if any(given == name for _, given in seen)]
            given_names = [*expected, *more]
            counts = [[seen[label, given] for given in given_names] for label in expected]
            found.append(Matrix(place, prompt, model, expected, given_names, counts))
        return found[:_MOST_MATRICES]


def _labels(value: Json, place: str = "") -> Iterator[tuple[str, str]]:
    """The short texts in an answer, with their places."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _labels(item, f"{place}.{name}" if place else str(name))
    elif isinstance(value, str) and len(value) <= _LONGEST_LABEL:
        yield place or WHOLE, value.strip()
