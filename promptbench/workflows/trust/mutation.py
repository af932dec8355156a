"""The checks of one case, tested on mutants of its good answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from promptbench.checks.expect import parse_argument
from promptbench.core.protocols import Check
from promptbench.core.types import CallFacts, Json
from promptbench.engine.prepare.cases import as_answer, own_specs
from promptbench.engine.prepare.evaluate import Evaluation, evaluate, needs_judge
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite
from promptbench.parsing.json_text import read
from promptbench.suite.file import field_name
from promptbench.suite.models import Case, WrittenCheck
from promptbench.workflows.trust.mutants import Mutant, Original, Vocabulary, make_mutants

# Different good answers to one case that are broken.
_MAX_ANSWERS = 3
# Checks of the call, which another text of the answer cannot fail.
_CALL_CHECKS = frozenset(("cost", "latency", "tokens"))


class AnswerSource(StrEnum):
    """Where a good answer is from."""

    WISH = "should be"
    RECORD = "run"
    EXPECT = "expect"


@dataclass(frozen=True, slots=True)
class GoodAnswer:
    """An answer that passes, and the facts of the call that gave it."""

    text: str
    source: AnswerSource
    call: CallFacts | None = None


class MutantStatus(StrEnum):
    """The result of the checks for a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    # It has the same content on a rung that the suite accepts, so it may pass.
    EQUIVALENT = "equivalent"
    # Only a judge can decide, and judges are not called.
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class MutantResult:
    """One mutant and its result; `failed` are the numbers of the checks that it fails."""

    original: Original
    mutant: Mutant
    status: MutantStatus
    failed: tuple[int, ...]


class MutationCase:
    """One case, its good answers, and its checks as the first candidate must pass them.

    `checks` and `specs` are the same checks, built and as they are written. `written` is None for a case from a log.
    """

    def __init__(self, prepared: PreparedSuite, case: PreparedCase, recorded: Iterable[GoodAnswer]) -> None:
        self.name = case.name
        self.written: Case | None = None if case.logged else prepared.suite.cases[case.name]
        self.checks: tuple[Check, ...] = case.checks[prepared.candidates[0].hash]
        self.specs: tuple[WrittenCheck, ...] = (
            *prepared.suite.checks,
            *(own_specs(self.written) if self.written else ()),
        )
        self._case = case
        self._accept = prepared.accept
        self._ladder = prepared.ladder
        self.answers = tuple(self._select(recorded))

    def original(self, answer: GoodAnswer, words: Vocabulary) -> Original:
        return Original(self.name, answer.text, self._accept, words)

    def results(self, words: Vocabulary) -> Iterator[MutantResult]:
        """Yield the result of every mutant of every good answer."""
        for answer in self.answers:
            original = self.original(answer, words)
            # If checks need the text around the data, every mutant fails, which shows nothing.
            if original.text != answer.text and not self._evaluate(answer, original.text).passed:
                continue
            for mutant in make_mutants(original):
                evaluation = self._evaluate(answer, mutant.text)
                status = MutantStatus.SURVIVED if evaluation.passed else MutantStatus.KILLED
                if evaluation.errored:
                    status = MutantStatus.UNJUDGED
                if mutant.equivalent:
                    status = MutantStatus.EQUIVALENT
                yield MutantResult(original, mutant, status, tuple(_failed(evaluation)))

    def failed_by_log(self) -> set[int]:
        """Return the numbers of the checks that a logged answer fails."""
        answers = (GoodAnswer(text, AnswerSource.RECORD) for text in self._case.was)
        return {number for answer in answers for number in _failed(self._evaluate(answer, answer.text))}

    def can_fail(self, number: int) -> bool:
        """Return True if a mutant can fail a check without a judge, whatever its call took."""
        name = field_name(self.specs[number].name).lower()
        return not (needs_judge(self.checks[number]) or name in _CALL_CHECKS)

    def evaluate(self, answer: GoodAnswer) -> Evaluation:
        return self._evaluate(answer, answer.text)

    def fails(self, text: str) -> bool:
        """Return True if an answer fails for sure: not only by a judge, which is not called."""
        evaluation = self._evaluate(GoodAnswer(text, AnswerSource.RECORD), text)
        return not (evaluation.passed or evaluation.errored)

    def _evaluate(self, answer: GoodAnswer, text: str) -> Evaluation:
        case = self._case
        return evaluate(
            text, self.checks, self._accept, case.variables, answer.call, case.threshold, ladder=self._ladder
        )

    def _select(self, recorded: Iterable[GoodAnswer]) -> Iterator[GoodAnswer]:
        """Yield different answers that pass now. `expect` is used only without others."""
        seen: set[str] = set()
        for answer in self._known(recorded):
            if len(seen) >= _MAX_ANSWERS or (answer.source is AnswerSource.EXPECT and seen):
                return
            evaluation = self._evaluate(answer, answer.text)
            value = read(answer.text).value
            content = as_answer(value) if isinstance(value, (dict, list)) else answer.text.strip()
            if (evaluation.passed or evaluation.errored) and content not in seen:
                seen.add(content)
                yield answer

    def _known(self, recorded: Iterable[GoodAnswer]) -> Iterator[GoodAnswer]:
        if self.written and self.written.has_wish:
            yield GoodAnswer(as_answer(self.written.should_be), AnswerSource.WISH)
        yield from recorded
        if self.written and self.written.has_expect:
            for text in _expected(self.written.expect):
                yield GoodAnswer(text, AnswerSource.EXPECT)


def _failed(evaluation: Evaluation) -> Iterator[int]:
    return (i for i, score in enumerate(evaluation.scores) if not (score.passed or score.errored))


def _expected(expect: Json) -> Iterator[str]:
    """Yield the answers that `expect` accepts: as written, and with numbers as texts, which a schema may ask for."""
    check = parse_argument(expect)
    for wanted in () if check.path or check.paths else check.right:
        yield as_answer(wanted)
        if isinstance(wanted, (dict, list)):
            yield as_answer(_with_texts(wanted))


def _with_texts(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _with_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_texts(item) for item in value]
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
