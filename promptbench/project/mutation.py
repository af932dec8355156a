"""Tries the mutants of good answers on the checks of their case: which of them do the checks let live?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from promptbench.checks._options import comparison
from promptbench.core.protocols import Check
from promptbench.core.types import CallFacts, Json
from promptbench.formats.json_text import read
from promptbench.project.bench import Bench, BenchCase
from promptbench.project.cases import as_answer, own_specs
from promptbench.project.evaluate import Evaluation, Judged, evaluate
from promptbench.project.mutants import Mutant, Original, Vocabulary, mutants
from promptbench.suite.models import Case, CheckSpec, field_name

MOST_ANSWERS = 3
"""Different good answers to one case that are broken."""
_OF_THE_CALL = frozenset(("cost", "latency", "tokens"))
"""Checks that look at what a call took: no other text of the answer can fail them."""


class AnswerSource(StrEnum):
    """Where a good answer is from."""

    WISH = "should be"
    RECORD = "run"
    EXPECT = "expect"


@dataclass(frozen=True, slots=True)
class GoodAnswer:
    """An answer that passes. `call` is what it took, where a call gave it."""

    text: str
    source: AnswerSource
    call: CallFacts | None = None


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    """It says the same on a rung that the suite accepts, so it may pass."""
    UNJUDGED = "unjudged"
    """Only a judge can tell, and none is asked."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One mutant and what the checks say of it; `failed` are the numbers of the checks that it fails."""

    original: Original
    answer: GoodAnswer
    mutant: Mutant
    fate: Fate
    failed: tuple[int, ...]


class CaseOnTrial:
    """One case with its checks, as the first candidate is held to them, and its good answers."""

    def __init__(self, bench: Bench, case: BenchCase, recorded: Iterable[GoodAnswer]) -> None:
        self.case = case
        self.written: Case | None = None if case.logged else bench.suite.cases[case.name]
        """The case as its author wrote it; None for one that a log brought."""
        self.checks: tuple[Check, ...] = case.checks[bench.candidates[0].hash]
        self.specs: tuple[CheckSpec, ...] = (*bench.suite.checks, *(own_specs(self.written) if self.written else ()))
        """The same checks as they are written."""
        self._accept, self._ladder = bench.accept, bench.ladder
        self.answers = tuple(self._good(recorded))

    def evaluate(self, answer: GoodAnswer, text: str, checks: Sequence[Check] | None = None) -> Evaluation:
        """Scores a text in the place of an answer, by other checks than the case's if there are some."""
        checks = self.checks if checks is None else checks
        return evaluate(
            text,
            checks,
            self._accept,
            self.case.variables,
            answer.call,
            self.case.threshold,
            ladder=self._ladder,
        )

    def original(self, answer: GoodAnswer, words: Vocabulary) -> Original:
        return Original(self.case.name, answer.text, self._accept, words)

    def trials(self, words: Vocabulary) -> Iterator[Trial]:
        """All mutants of all good answers, tried."""
        for answer in self.answers:
            original = self.original(answer, words)
            if original.text != answer.text and not self.evaluate(answer, original.text).passed:
                continue  # Its checks hang on what stands around the data, so that every mutant would fail them.
            for mutant in mutants(original):
                found = self.evaluate(answer, mutant.text)
                failed = tuple(i for i, score in enumerate(found.scores) if not (score.passed or score.errored))
                yield Trial(original, answer, mutant, _fate(mutant, found), failed)

    def failed_by_log(self) -> set[int]:
        """The numbers of the checks that a logged answer fails."""
        scores = [self.evaluate(GoodAnswer(text, AnswerSource.RECORD), text).scores for text in self.case.was]
        return {i for one in scores for i, score in enumerate(one) if not (score.passed or score.errored)}

    def can_fail(self, number: int) -> bool:
        """Whether a mutant could fail a check at all, without a judge and whatever the call took."""
        return not (
            isinstance(self.checks[number], Judged) or field_name(self.specs[number].name).lower() in _OF_THE_CALL
        )

    def _good(self, recorded: Iterable[GoodAnswer]) -> Iterator[GoodAnswer]:
        """The answers that pass now, different ones; what `expect` says is one where there is no other."""
        seen: set[str] = set()
        for answer in self._known(recorded):
            if len(seen) >= MOST_ANSWERS or (answer.source is AnswerSource.EXPECT and seen):
                return
            found = self.evaluate(answer, answer.text)
            same = _content(answer.text)
            if (found.passed or found.errored) and same not in seen:
                seen.add(same)
                yield answer

    def _known(self, recorded: Iterable[GoodAnswer]) -> Iterator[GoodAnswer]:
        if self.written and self.written.has_wish:
            yield GoodAnswer(as_answer(self.written.should_be), AnswerSource.WISH)
        yield from recorded
        if self.written and self.written.has_expect:
            for text in _expected(self.written.expect):
                yield GoodAnswer(text, AnswerSource.EXPECT)


def _fate(mutant: Mutant, found: Evaluation) -> Fate:
    if mutant.equivalent:
        return Fate.EQUIVALENT
    if found.errored:
        return Fate.UNJUDGED
    return Fate.SURVIVED if found.passed else Fate.KILLED


def _content(text: str) -> str:
    """The same for answers that say the same."""
    value = read(text).value
    return as_answer(value) if isinstance(value, (dict, list)) else text.strip()


def _expected(expect: Json) -> Iterator[str]:
    """Answers that `expect` may stand for: as it is, and with its numbers as texts, which it takes as well."""
    wanted, _ = comparison(expect)
    yield as_answer(wanted)
    if isinstance(wanted, (dict, list)):
        yield as_answer(_with_texts(wanted))


def _with_texts(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _with_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_texts(item) for item in value]
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
