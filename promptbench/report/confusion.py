"""Confusion matrices: which label an answer gave where another was expected, for cases that expect one of a few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from promptbench.core.types import Json
from promptbench.parsing.json_text import read
from promptbench.report.document import Matrix
from promptbench.report.model import Attempts, CaseAttempts

_MOST_LABELS = 40
_LONGEST_LABEL = 60
_CASES_PER_LABEL = 2
_MOST_MATRICES = 4
WHOLE = "the answer"
OTHER = "(another)"
UNREADABLE = "(not readable)"


@dataclass(slots=True)
class Confusions:
    """Collects from case to case. A location with too many labels is dropped, so that memory stays small.

    `prompts` are the labels of the prompts to look at, by hash: the judged one, and "" for models without a prompt. If
    a suite has `intents`, only locations that hold nothing else are used.
    """

    prompts: dict[str, str]
    intents: frozenset[str] = frozenset()
    _cases: Counter[str] = field(default_factory=Counter)
    _labels: dict[str, set[str]] = field(default_factory=dict)
    _pairs: dict[tuple[str, str, str], Counter[tuple[str, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, attempts: Attempts) -> Confusions:
        judged = {prompt.hash: prompt.label for prompt in attempts.prompts if prompt.hash == attempts.candidate}
        return cls({"": "", **judged}, attempts.intents)

    def add(self, case: CaseAttempts) -> None:
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
        """Return a matrix for each location, prompt and model; the first few of them."""
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
            of = f"{prompt} on {model}" if prompt else model
            found.append(
                Matrix(
                    f"Confusion: {place}",
                    f"{of}. Each row is what was expected, each column what was given.",
                    expected,
                    given_names,
                    counts,
                )
            )
        return found[:_MOST_MATRICES]


def _labels(value: Json, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the short texts in an answer with their locations."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _labels(item, f"{place}.{name}" if place else str(name))
    elif isinstance(value, str) and len(value) <= _LONGEST_LABEL:
        yield place or WHOLE, value.strip()
